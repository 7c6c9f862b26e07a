//! The tables: which Envoys are compared, and what the comparison has to show.

mod keys;
mod peers;
mod protocols;
mod routes;
mod signatures;
mod start;

use std::rc::Rc;

use harness::Result;
use serde_json::{Value, json};

use crate::{
    ground::Ground,
    measure::{self, Comparison, Group},
    plan::{Plan, Table},
    report::{self, Row},
    request::Traffic,
    statistic::Spread,
    variant::Variant,
};

/// What a hit may cost with many routes or tokens, against what it costs with few.
const GROWTH: f64 = 1.1;

/// Measures a table and prints it. Returns its results as data.
pub async fn measure(plan: &Plan, ground: &Ground, table: Table) -> Result<Value> {
    let groups = match table {
        Table::Start => return start::measure(plan, ground).await,
        Table::Peers => peers::groups(plan)?,
        Table::Routes => routes::groups(plan)?,
        Table::Keys => keys::groups(plan)?,
        Table::Protocols => protocols::groups()?,
        Table::Signatures => signatures::groups()?,
    };
    let comparisons = measure::all(plan, ground, groups).await?;
    print!("{}", report::heading(plan));
    for comparison in &comparisons {
        print!("{}", report::table(comparison));
    }
    Ok(match table {
        Table::Peers => {
            print!("{}", peers::verdict(&comparisons));
            report::data(&comparisons)
        }
        Table::Signatures => {
            print!("{}", signatures::verdict(&comparisons));
            report::data(&comparisons)
        }
        _ => {
            let growth = growth(&comparisons);
            println!();
            let aim = (table != Table::Protocols).then_some(GROWTH);
            growth.iter().for_each(|one| println!("{}", one.text(aim)));
            let mut data = report::data(&comparisons);
            for one in &growth {
                data[&one.name]["against_first"] = one.json();
            }
            data
        }
    })
}

/// A plain router and Cloakroom, with the same traffic.
fn duel(name: String, title: String, traffic: Rc<Traffic>) -> Group {
    let others = vec![(Variant::Cloakroom, Rc::clone(&traffic))];
    Group { name, title, traffic, others }
}

/// What a hit costs in a group, against what it costs in the first group.
struct Growth {
    name: String,
    title: String,
    first: String,
    /// Microseconds more, round by round.
    more: Spread,
    /// The medians' ratio.
    ratio: f64,
}

impl Growth {
    fn text(&self, aim: Option<f64>) -> String {
        let Self { title, first, more, ratio, .. } = self;
        let judged = aim.map(|aim| format!(", at most {aim:.2} is the aim: {}", judge(*ratio, aim)));
        let judged = judged.unwrap_or_default();
        format!("a hit adds {more} µs more with {title} than with {first}: {ratio:.2} times as much{judged}")
    }

    fn json(&self) -> Value {
        json!({"more_us": self.more.json(), "ratio": self.ratio})
    }
}

fn growth(comparisons: &[Comparison]) -> Vec<Growth> {
    let hits = |comparison: &Comparison| -> Vec<f64> {
        let pairs = comparison.measured.get(1).map(|measured| measured.pairs.as_slice()).unwrap_or_default();
        pairs.iter().map(|pair| pair.own.cpu - pair.router.cpu).collect()
    };
    let Some((first, rest)) = comparisons.split_first() else { return Vec::new() };
    let base = hits(first);
    let against = |comparison: &Comparison| {
        let own = hits(comparison);
        Growth {
            name: comparison.name.clone(),
            title: comparison.title.clone(),
            first: first.title.clone(),
            more: Spread::of(own.iter().zip(&base).map(|(own, base)| own - base)),
            ratio: Spread::of(own.into_iter()).median / Spread::of(base.iter().copied()).median,
        }
    };
    rest.iter().map(against).collect()
}

fn judge(value: f64, most: f64) -> &'static str {
    if value <= most { "kept" } else { "MISSED" }
}

/// What a comparison says of a variant.
fn row(comparison: &Comparison, variant: Variant) -> Option<Row> {
    comparison.measured.iter().find(|measured| measured.variant == variant).map(Row::new)
}
