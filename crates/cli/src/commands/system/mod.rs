//! `lighter system …`, `version`, `inspect`.
