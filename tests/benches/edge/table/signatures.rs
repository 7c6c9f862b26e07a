//! Requests to S3, signed by the filter with each workload's own keys and by Envoy's own filter with one pair for all.

use std::rc::Rc;

use harness::Result;

use super::{duel, judge, row};
use crate::{
    credential::{self, Tokens},
    measure::{Comparison, Group},
    request::{Protocol, Traffic},
    routes::Routes,
    variant::Variant,
};

pub(super) fn groups() -> Result<Vec<Group>> {
    let tokens = Rc::new(Tokens::unsigned(credential::COUNT)?);
    let bearer = Traffic::new(Protocol::PLAIN, Routes::ONE, &tokens)?;
    let traffic = Traffic::s3(&tokens);
    let others = [Variant::AwsRequestSigning, Variant::Cloakroom].map(|variant| (variant, Rc::clone(&traffic)));
    Ok(vec![
        duel("swap".into(), "a token in the place of a token".into(), bearer),
        Group { name: "s3".into(), title: "GET of an object of S3, signed".into(), traffic, others: others.into() },
    ])
}

/// Whether a signature of ours costs no more than Envoy's own and a swap of tokens do together.
pub(super) fn verdict(comparisons: &[Comparison]) -> String {
    let added = |place: usize, variant| {
        comparisons.get(place).and_then(|comparison| row(comparison, variant)).map(|row| row.added.median)
    };
    let (Some(swap), Some(native), Some(own)) =
        (added(0, Variant::Cloakroom), added(1, Variant::AwsRequestSigning), added(1, Variant::Cloakroom))
    else {
        return String::new();
    };
    format!(
        "\na signature adds {own:.1} µs; Envoy's own adds {native:.1} and a swap of tokens {swap:.1}, at most both together \
         are the aim: {}\n",
        judge(own, native + swap)
    )
}
