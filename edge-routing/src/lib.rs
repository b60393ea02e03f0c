//! The route language.
