//! The results, for people and for programs.

use std::{fmt::Write, path::PathBuf};

use harness::{Result, workspace};
use serde_json::{Map, Value, json};

use crate::{
    credential,
    load::LANES,
    measure::{Comparison, MODERATE, Measured, Pair},
    plan::{Plan, Table},
    statistic::Spread,
};

/// What one variant's samples say.
pub struct Row {
    pub cpu: Spread,
    /// CPU time per request above the router's.
    pub added: Spread,
    pub rate: Spread,
    /// Parts of the router's.
    pub rate_ratio: Spread,
    pub p50: Spread,
    pub p99: Spread,
    pub p99_ratio: Spread,
}

impl Row {
    pub fn new(measured: &Measured) -> Self {
        let of = |value: fn(&Pair) -> f64| Spread::of(measured.pairs.iter().map(value));
        Self {
            cpu: of(|pair| pair.own.cpu),
            added: of(|pair| pair.own.cpu - pair.router.cpu),
            rate: of(|pair| pair.own.rate),
            rate_ratio: of(|pair| pair.own.rate / pair.router.rate),
            p50: of(|pair| pair.own.p50),
            p99: of(|pair| pair.own.p99),
            p99_ratio: of(|pair| pair.own.p99 / pair.router.p99),
        }
    }

    fn json(&self) -> Value {
        json!({
            "cpu_us_per_request": self.cpu.json(),
            "added_us_per_request": self.added.json(),
            "requests_per_second": self.rate.json(),
            "requests_per_second_ratio": self.rate_ratio.json(),
            "p50_us": self.p50.json(),
            "p99_us": self.p99.json(),
            "p99_ratio": self.p99_ratio.json(),
        })
    }
}

/// How it was measured, for the top of the terminal.
pub fn heading(plan: &Plan) -> String {
    format!(
        "\nMedians (least to most) of {} rounds, against the plain router around each measurement. One Envoy worker, {} cores.\n\
         CPU is Envoy's own, over {} requests on {LANES} lanes as fast as they go; latency is at {:.0} % of the router's rate,\n\
         over {} requests, from the moment each should have been sent. Tokens of {} bytes. Where Envoy and the load wait for a\n\
         core, the machine is not quiet.\n",
        plan.rounds,
        plan.cores.len(),
        plan.requests,
        MODERATE * 100.0,
        plan.moderate,
        credential::LENGTH,
    )
}

/// A table for the terminal.
pub fn table(comparison: &Comparison) -> String {
    let mut text = format!(
        "\n{} (latency at {:.0} requests per second; Envoy and load waited for a core, % of the time: {})\n\n",
        comparison.title,
        comparison.moderate_rate,
        waited(comparison)
    );
    _ = writeln!(
        text,
        "{:<31} {:>23} {:>22} {:>7} {:>19} {:>8} {:>8} {:>19} {:>5}",
        "variant", "CPU/request, µs", "added, µs", "rps", "of router's", "p50, µs", "p99, µs", "of router's", "MB"
    );
    for (place, measured) in comparison.measured.iter().enumerate() {
        let row = Row::new(measured);
        // What the router is compared with is itself.
        let against = |text: String| if place == 0 { "-".to_owned() } else { text };
        _ = writeln!(
            text,
            "{:<31} {:>23} {:>22} {:>7.0} {:>19} {:>8.0} {:>8.0} {:>19} {:>5}",
            measured.variant.title(),
            row.cpu.to_string(),
            against(row.added.to_string()),
            row.rate.median,
            against(format!("{:.2}", row.rate_ratio)),
            row.p50.median,
            row.p99.median,
            against(format!("{:.2}", row.p99_ratio)),
            measured.resident / 1_000_000,
        );
    }
    text
}

/// For how many percent of the time Envoy and the load had no core: the measure of how quiet the machine was.
fn waited(comparison: &Comparison) -> Spread {
    let pairs = comparison.measured.iter().flat_map(|measured| &measured.pairs);
    Spread::of(pairs.map(|pair| pair.own.waited * 100.0))
}

/// The results of a table as data.
pub fn data(comparisons: &[Comparison]) -> Value {
    let group = |comparison: &Comparison| {
        let variants = comparison.measured.iter().map(|measured| {
            let mut row = Row::new(measured).json();
            row["resident_bytes"] = json!(measured.resident);
            row["samples_us"] = measured.pairs.iter().map(|pair| json!([pair.own.cpu, pair.router.cpu])).collect();
            (measured.variant.name().to_owned(), row)
        });
        let value = json!({
            "title": comparison.title,
            "moderate_requests_per_second": comparison.moderate_rate.round(),
            "waited_for_a_core_percent": waited(comparison).json(),
            "variants": Value::Object(variants.collect::<Map<_, _>>()),
        });
        (comparison.name.clone(), value)
    };
    Value::Object(comparisons.iter().map(group).collect::<Map<_, _>>())
}

/// Writes `bench/edge-TABLE.json` below the target directory.
pub fn write(plan: &Plan, table: Table, results: &Value) -> Result<PathBuf> {
    let folder = workspace::target()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let document = json!({
        "quick": plan.quick,
        "rounds": plan.rounds,
        "requests_per_round": plan.requests,
        "moderate_requests_per_round": plan.moderate,
        "token_bytes": credential::LENGTH,
        "cores": plan.cores.len(),
        "results": results,
    });
    let path = folder.join(format!("edge-{}.json", table.name()));
    std::fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    Ok(path)
}
