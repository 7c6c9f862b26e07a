//! The figures, as a table and as JSON.

use std::{
    fmt::{self, Write},
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    exchange, rotation,
    rounds::{Figure, Plan},
    signature, sources,
};

/// Everything that was measured: the parts that were asked for.
#[derive(Serialize)]
pub struct Report {
    /// Too short to be believed: only shows that the bench works.
    pub quick: bool,
    pub plan: Plan,
    pub exchanges: Vec<exchange::Measured>,
    pub rotations: Option<rotation::Rotations>,
    pub sources: Vec<sources::Measured>,
    pub signatures: Vec<signature::Measured>,
}

impl Report {
    /// The table that is printed.
    pub fn table(&self) -> String {
        let mut text = String::new();
        if self.quick {
            text.push_str("quick run: the figures mean nothing\n\n");
        }
        // Writing to a `String` cannot fail.
        _ = self.write_exchanges(&mut text);
        _ = self.write_rotations(&mut text);
        _ = self.write_sources(&mut text);
        _ = self.write_signatures(&mut text);
        text
    }

    fn write_exchanges(&self, text: &mut String) -> fmt::Result {
        if self.exchanges.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "{:7} {:>8} {:17} {:6} {:>7} {:>26} {:>9} {:>10}",
            "subject", "policies", "on", "store", "at once", "exchanges/s per core", "us each", "per second"
        )?;
        for one in &self.exchanges {
            writeln!(
                text,
                "{:7} {:>8} {:17} {:6} {:>7} {:>26} {:>9.1} {:>10.0}",
                one.subject,
                one.policies,
                one.policies_on,
                one.store,
                one.at_once,
                spread(&one.per_core),
                1e6 / one.per_core.median,
                one.per_second.median
            )?;
        }
        writeln!(text)
    }

    fn write_rotations(&self, text: &mut String) -> fmt::Result {
        let Some(rotations) = &self.rotations else { return Ok(()) };
        writeln!(
            text,
            "{:7} {:6} {:>9} {:13} {:>5} {:>26} {:>6} {:>9} {:>10}",
            "rotated", "store", "workloads", "kept", "hits", "exchanges/s per core", "times", "us each", "per second"
        )?;
        for one in &rotations.measured {
            writeln!(
                text,
                "{:7} {:6} {:>9} {:13} {:>4.0}% {:>26} {:>6.2} {:>9.1} {:>10.0}",
                one.subject,
                one.store,
                one.workloads,
                one.kept,
                100.0 * one.hits,
                spread(&one.per_core),
                rotations.times(one),
                1e6 / one.per_core.median,
                one.per_second.median
            )?;
        }
        writeln!(text, "one kept token takes {:.0} bytes\n", rotations.entry)
    }

    fn write_sources(&self, text: &mut String) -> fmt::Result {
        if self.sources.is_empty() {
            return Ok(());
        }
        let (first, repeated) = ("us each, first time", "us each, repeated");
        writeln!(text, "{:24} {first:>26} {repeated:>26}", "source of the subject")?;
        for one in &self.sources {
            // A longer time is a lower rate: the least and the most change places.
            let each = |figure: &Figure| {
                format!("{:.0} ({:.0} to {:.0})", 1e6 / figure.median, 1e6 / figure.highest, 1e6 / figure.lowest)
            };
            writeln!(text, "{:24} {:>26} {:>26}", one.source, each(&one.first), each(&one.repeated))?;
        }
        writeln!(text)
    }

    fn write_signatures(&self, text: &mut String) -> fmt::Result {
        if self.signatures.is_empty() {
            return Ok(());
        }
        writeln!(text, "{:14} {:11} {:>26} {:>9}", "operation", "library", "operations/s per core", "us each")?;
        for one in &self.signatures {
            let each = 1e6 / one.per_core.median;
            writeln!(text, "{:14} {:11} {:>26} {each:>9.1}", one.operation, one.library, spread(&one.per_core))?;
        }
        writeln!(text)
    }

    /// Writes `bench/sts.json` in the target folder and says where that is.
    pub fn write(&self) -> io::Result<PathBuf> {
        let path = folder().join("sts.json");
        fs::write(&path, serde_json::to_string_pretty(self)?)?;
        Ok(path)
    }
}

/// `target/bench`, found from the program itself: `target/PROFILE/deps/sts-...`.
pub fn folder() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    let target = program.ancestors().nth(3).unwrap_or(Path::new("target"));
    let folder = target.join("bench");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn spread(figure: &Figure) -> String {
    format!("{:.0} ({:.0}..{:.0})", figure.median, figure.lowest, figure.highest)
}
