//! Many routes.
//!
//! Envoy tries prefixes one after another, and it does so again when a header has been written. With ten thousand of them
//! that would drown everything else, so they stand in virtual hosts of their own, which it finds at once.

use std::rc::Rc;

use harness::Result;

use super::duel;
use crate::{
    credential::{self, Tokens},
    measure::Group,
    plan::Plan,
    request::{Protocol, Traffic},
    routes::{Routes, Shape},
};

pub(super) fn groups(_: &Plan) -> Result<Vec<Group>> {
    let tokens = Rc::new(Tokens::unsigned(credential::COUNT)?);
    let tables = [
        Routes::ONE,
        Routes { shape: Shape::Prefixes, count: 500 },
        Routes { shape: Shape::Hosts, count: 500 },
        Routes { shape: Shape::Hosts, count: 10_000 },
    ];
    let group =
        |routes: Routes| Ok(duel(routes.name(), routes.title(), Traffic::new(Protocol::PLAIN, routes, &tokens)?));
    tables.into_iter().map(group).collect()
}
