//! Cloakroom among what else could stand in its place.

use std::rc::Rc;

use harness::Result;

use super::{judge, row};
use crate::{
    credential::{self, Algorithm, Tokens},
    measure::{Comparison, Group},
    plan::Plan,
    request::{Protocol, Traffic},
    routes::Routes,
    variant::Variant,
};

/// What a hit may add, in microseconds, and what may become of the router's p99.
const ADDED: f64 = 7.0;
const P99: f64 = 1.1;

pub(super) fn groups(plan: &Plan) -> Result<Vec<Group>> {
    let traffic = |algorithm| {
        let tokens = Rc::new(Tokens::signed(algorithm, credential::COUNT)?);
        Traffic::new(Protocol::PLAIN, Routes::ONE, &tokens)
    };
    let rs256 = traffic(Algorithm::Rs256)?;
    let mut variants = vec![
        Variant::CredentialInjector,
        Variant::WasmNothing,
        Variant::WasmCalls,
        Variant::Cloakroom,
        Variant::ExtAuthz,
    ];
    if !plan.telling {
        variants.extend([Variant::CloakroomOtherwise, Variant::WasmNothingSdk, Variant::Lua, Variant::ExtProc]);
        variants.extend([true, false].map(|cached| Variant::JwtAuthn { algorithm: Algorithm::Rs256, cached }));
    }
    let mut others: Vec<_> = variants.into_iter().map(|variant| (variant, Rc::clone(&rs256))).collect();
    if !plan.telling {
        let (algorithm, es256) = (Algorithm::Es256, traffic(Algorithm::Es256)?);
        others.extend([true, false].map(|cached| (Variant::JwtAuthn { algorithm, cached }, Rc::clone(&es256))));
    }
    let title = format!("{} tokens, 1 route, HTTP/1.1", credential::COUNT);
    Ok(vec![Group { name: "peers".into(), title, traffic: rs256, others }])
}

/// Whether a hit costs what it may.
pub(super) fn verdict(comparisons: &[Comparison]) -> String {
    let Some(row) = comparisons.first().and_then(|comparison| row(comparison, Variant::Cloakroom)) else {
        return String::new();
    };
    let (added, p99) = (row.added.median, row.p99_ratio.median);
    let calls = comparisons.first().and_then(|comparison| self::row(comparison, Variant::WasmCalls));
    let calls = calls.map_or(String::new(), |calls| {
        let calls = calls.added.median;
        format!("\nof it {calls:.1} µs are its calls to Envoy, which a module without any code of its own pays too")
    });
    format!(
        "\na hit adds {added:.1} µs, at most {ADDED:.0} is the aim: {}{calls}\nits p99 is {p99:.2} of the router's, at most {P99:.2} is the aim: {}\n",
        judge(added, ADDED),
        judge(p99, P99)
    )
}
