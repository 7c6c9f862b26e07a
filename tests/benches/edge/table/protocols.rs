//! How the workload speaks to the edge.

use std::rc::Rc;

use harness::Result;

use super::duel;
use crate::{
    credential::{self, Tokens},
    measure::Group,
    request::{Protocol, Traffic},
    routes::Routes,
};

pub(super) fn groups() -> Result<Vec<Group>> {
    let tokens = Rc::new(Tokens::unsigned(credential::COUNT)?);
    let group = |protocol: Protocol| {
        let traffic = Traffic::new(protocol, Routes::ONE, &tokens)?;
        Ok(duel(protocol.name().into(), protocol.title().into(), traffic))
    };
    Protocol::ALL.into_iter().map(group).collect()
}
