//! The calls of the demo, and what each has to look like on the other side.

use std::time::Duration;

use super::route::{LEDGER, ORDERS, REPORTS, Route};
use crate::{
    Result, clock,
    clouds::cloud::Cloud,
    topology::{Topology, secret_parts},
    upstream::Recorded,
};

/// One call, as the table shows it.
pub struct Line {
    pub cloud: Cloud,
    pub route: &'static str,
    /// `sub` of the native token.
    pub inbound_subject: String,
    pub audience: String,
    pub subject: String,
    pub actor: String,
    pub scope: String,
    pub seconds_to_live: i64,
    /// How many exchanges the STS counted meanwhile.
    pub exchanges: u64,
    pub elapsed: Duration,
    /// What was not as it should be.
    pub wrong: Vec<String>,
}

/// Who calls whom, and with which scope it ought to arrive.
struct Call {
    cloud: Cloud,
    route: Route,
    path: &'static str,
    scope: &'static str,
    longest_life: i64,
}

/// Makes every call twice: the first has to ask the STS, the second must not.
pub async fn make(topology: &Topology) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for call in CALLS {
        let native = topology.native(call.cloud).await?;
        for exchanges in [1, 0] {
            lines.push(one(topology, call, &native, exchanges).await?);
        }
    }
    Ok(lines)
}

async fn one(topology: &Topology, call: &Call, native: &str, wanted_exchanges: u64) -> Result<Line> {
    let before = topology.sts.exchanges().await?;
    let seen_before = topology.recorded().await?.len();
    let answer = topology.call(call.path, native).await?;
    let exchanges = topology.sts.exchanges().await?.saturating_sub(before);
    let mut records = topology.recorded().await?;
    let mut wrong = Vec::new();
    if !answer.status.is_success() {
        wrong.push(format!("{} {}", answer.status.as_u16(), answer.header("x-cloakroom-reason")));
    }
    let seen = match records.len().checked_sub(seen_before) {
        Some(1) => records.pop(),
        _ => None,
    };
    let Some(seen) = seen else {
        wrong.push("the service saw no such call".into());
        return Ok(line(call, native, None, exchanges, answer.elapsed, wrong));
    };
    let mut expect = |what: &str, got: &str, wanted: &str| {
        if got != wanted {
            wrong.push(format!("{what} is `{got}`, not `{wanted}`"));
        }
    };
    expect("sub", seen.header("x-cloakroom-subject"), &call.cloud.spiffe_id(call.cloud.workload()));
    expect("act", seen.header("x-cloakroom-actor"), "spiffe://cloakroom.test/edge/egress");
    expect("aud", seen.header("x-cloakroom-audience"), call.route.resource);
    expect("scope", seen.header("x-cloakroom-scope"), call.scope);
    expect("authorization", seen.header("authorization"), "");
    expect("STS calls", &exchanges.to_string(), &wanted_exchanges.to_string());
    let raw = topology.client.get(&topology.upstream_url("/__raw"), &[]).await?.text();
    if secret_parts(native).any(|part| raw.contains(part)) {
        wrong.push("the native token reached the service".into());
    }
    let line = line(call, native, Some(&seen), exchanges, answer.elapsed, wrong);
    Ok(check_life(line, call.longest_life))
}

fn line(
    call: &Call,
    native: &str,
    seen: Option<&Recorded>,
    exchanges: u64,
    elapsed: Duration,
    wrong: Vec<String>,
) -> Line {
    let header = |name: &str| seen.map(|seen| seen.header(name).to_owned()).unwrap_or_default();
    Line {
        cloud: call.cloud,
        route: call.route.name,
        inbound_subject: subject(native),
        audience: header("x-cloakroom-audience"),
        subject: header("x-cloakroom-subject"),
        actor: header("x-cloakroom-actor"),
        scope: header("x-cloakroom-scope"),
        seconds_to_live: header("x-cloakroom-expires").parse().map_or(0, |expires: i64| expires - clock::now()),
        exchanges,
        elapsed,
        wrong,
    }
}

fn check_life(mut line: Line, longest: i64) -> Line {
    if !(1..=longest).contains(&line.seconds_to_live) {
        line.wrong.push(format!("{} s to live, not 1 to {longest}", line.seconds_to_live));
    }
    line
}

fn subject(native: &str) -> String {
    let payload = native.split('.').nth(1).and_then(|part| token::base64url::decode(part).ok()).unwrap_or_default();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
    claims["sub"].as_str().unwrap_or_default().to_owned()
}

const fn reports(cloud: Cloud) -> Call {
    Call { cloud, route: REPORTS, path: "/gcp-reports/2026/q3", scope: "reports.read", longest_life: 60 }
}

const fn orders(cloud: Cloud, scope: &'static str) -> Call {
    Call { cloud, route: ORDERS, path: "/aws-orders/4711", scope, longest_life: 60 }
}

const fn ledger(cloud: Cloud) -> Call {
    Call { cloud, route: LEDGER, path: "/azure-ledger/entries", scope: "", longest_life: 45 }
}

const CALLS: &[Call] = &[
    reports(Cloud::Aws),
    ledger(Cloud::Aws),
    orders(Cloud::Gcp, "orders.read orders.write"),
    ledger(Cloud::Gcp),
    reports(Cloud::Azure),
    // The policy lets this one read only: less comes back than the route asks for.
    orders(Cloud::Azure, "orders.read"),
    reports(Cloud::Kubernetes),
    orders(Cloud::Kubernetes, "orders.read orders.write"),
    ledger(Cloud::Kubernetes),
];
