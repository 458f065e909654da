//! The flags of `create` and `run`, and what they become in the API.
