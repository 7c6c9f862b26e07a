//! Many tokens in the cache.

use std::rc::Rc;

use harness::Result;

use super::duel;
use crate::{
    credential::Tokens,
    measure::Group,
    plan::Plan,
    request::{Protocol, Traffic},
    routes::Routes,
};

pub(super) fn groups(plan: &Plan) -> Result<Vec<Group>> {
    let many = if plan.quick { 20_000 } else { 100_000 };
    let group = |count: usize| {
        let tokens = Rc::new(Tokens::unsigned(count)?);
        let traffic = Traffic::new(Protocol::PLAIN, Routes::ONE, &tokens)?;
        Ok(duel(format!("{count}_keys"), format!("{count} tokens in the cache"), traffic))
    };
    [1_000, many].into_iter().map(group).collect()
}
