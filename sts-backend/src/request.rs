//! The request, read.
