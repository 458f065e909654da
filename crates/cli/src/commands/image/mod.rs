//! `lighter image …` and its short spellings.
