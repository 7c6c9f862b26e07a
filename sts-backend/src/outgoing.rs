//! What leaves this service: requests to issuers, to servers that are asked about tokens, and to the providers of
//! destinations. All of it goes through [`fetch`], which reaches what configuration names and nothing else.

pub mod address;
pub mod authorities;
pub mod bulkhead;
pub mod fetch;
