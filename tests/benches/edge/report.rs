//! The results, for people and for programs.

use std::{fmt::Write, path::PathBuf, time::Duration};

use harness::{Result, workspace};
use serde_json::{Value, json};

use crate::{
    credential,
    measure::{Measured, Plan, Sample},
};

/// Middle, least and most of a series.
#[derive(Clone, Copy, Debug)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), least: at(0), most: at(last) }
    }

    fn json(self) -> Value {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        json!({"median": rounded(self.median), "min": rounded(self.least), "max": rounded(self.most)})
    }
}

/// What one variant's samples say.
struct Row {
    cpu: Spread,
    /// Against the router of the same round.
    added: Spread,
    rate: Spread,
}

impl Row {
    fn new(plan: &Plan, measured: &Measured, router: &Measured) -> Self {
        let count = plan.requests as f64;
        let cost = |sample: &Sample| micros(sample.cpu) / count;
        let pairs = measured.samples.iter().zip(&router.samples);
        Self {
            cpu: Spread::of(measured.samples.iter().map(cost)),
            added: Spread::of(pairs.map(|(sample, router)| cost(sample) - cost(router))),
            rate: Spread::of(measured.samples.iter().map(|sample| count / sample.elapsed.as_secs_f64())),
        }
    }
}

/// A table for the terminal.
pub fn table(plan: &Plan, measured: &[Measured]) -> String {
    let Some(router) = measured.first() else { return String::new() };
    let mut text = format!(
        "\n{} rounds of {} requests each, {} tokens of {} bytes, one Envoy worker, {} cores. Medians (least to most).\n\n",
        plan.rounds,
        plan.requests,
        credential::COUNT,
        credential::LENGTH,
        plan.cores,
    );
    _ = writeln!(
        text,
        "{:<30} {:>24} {:>24} {:>10} {:>8}",
        "variant", "CPU per request, µs", "added, µs", "rps", "RSS, MB"
    );
    for one in measured {
        let row = Row::new(plan, one, router);
        let spread = |s: Spread| format!("{:.1} ({:.1} to {:.1})", s.median, s.least, s.most);
        let added = if one.variant == router.variant { "-".into() } else { spread(row.added) };
        let memory = one.resident / 1_000_000;
        _ = writeln!(
            text,
            "{:<30} {:>23} {:>23} {:>10.0} {memory:>8}",
            one.variant.title(),
            spread(row.cpu),
            added,
            row.rate.median
        );
    }
    text.push('\n');
    text
}

/// Writes `bench/edge.json` below the target directory.
pub fn write(plan: &Plan, measured: &[Measured]) -> Result<PathBuf> {
    let folder = workspace::target()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let router = measured.first().ok_or("nothing was measured")?;
    let variants: serde_json::Map<_, _> = measured
        .iter()
        .map(|one| {
            let row = Row::new(plan, one, router);
            let value = json!({
                "cpu_us_per_request": row.cpu.json(),
                "added_us_per_request": row.added.json(),
                "requests_per_second": row.rate.json(),
                "resident_bytes": one.resident,
                "samples": one.samples.iter().map(|sample| micros(sample.cpu) / plan.requests as f64).collect::<Vec<_>>(),
            });
            (one.variant.name().to_owned(), value)
        })
        .collect();
    let document = json!({
        "quick": plan.quick,
        "rounds": plan.rounds,
        "requests_per_round": plan.requests,
        "tokens": credential::COUNT,
        "token_bytes": credential::LENGTH,
        "workers": 1,
        "cores": plan.cores,
        "variants": variants,
    });
    let path = folder.join("edge.json");
    std::fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    Ok(path)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
