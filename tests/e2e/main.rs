//! The whole path, end to end: each module holds one thing that must be true of it.

/// A first call from every cloud, and what the service is told.
mod first_call;

/// One question to the STS for any number of identical requests.
mod cache;

/// The STS is gone, hangs, and comes back.
mod outage;

/// A workload that holds no token and is known by its certificate.
mod peer_certificate;

/// A workload whose certificate a hop in front of the edge tells of.
mod forwarded_certificate;

/// What is refused, with which status and which words.
mod refusal;

/// Every fact of a decision, changed on a warm cache.
mod facts;

/// Where an exchanged token goes.
mod destination;

/// The record, as the STS has kept it.
mod decisions;

/// Requests that the edge signs.
mod signing;

/// Tokens in logs: none.
mod secrecy;

/// The filter's statistics in Envoy, the STS's own.
mod metrics;

/// The shipped Grafana dashboard, and the statistics it shows.
mod dashboard;

/// The shipped files, and what is said of wrong ones.
mod config;

/// The JSON Schema of the filter's configuration.
mod schema;

/// Sources beyond the clouds: jobs, signing accounts, SVIDs.
mod sources;

/// From every cloud to every cloud, with what the destination's cloud takes.
mod federation;

/// Policy and configuration changed while everything runs.
mod reload;

/// Issuers that change their keys under load, or are away.
mod issuers;

/// The issuers' keys and the STS's own, over rotations and restarts.
mod keys;

/// An app that only speaks https.
mod https_app;

/// Who may ask the STS, asked directly.
mod sts;

/// Clusters that are asked whether their pods still exist.
mod review;

/// Providers of destinations in trouble, and asked by many.
mod providers;

/// Opaque tokens, and the server that is asked about them.
mod introspection;

/// AWS's signed requests.
mod aws;

/// Clients that others wrote.
mod interop;

/// Clients that others wrote, and the metadata servers that they ask.
mod sdk;

/// Google's client in Rust, a stricter reader of answers.
mod rust_sdk;

/// boto3, and servers that judge its signatures.
mod boto;

/// `cargo demo`.
mod demo;

/// The README's guided tour, as written.
mod readme;
