//! What is measured, and how much of it.

use harness::Result;

use crate::cpu;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Peers,
    Routes,
    Keys,
    Protocols,
    Signatures,
    Start,
}

/// How much is measured. All numbers of requests are whole thousands, the steps in which a module of ours counts.
#[derive(Clone, Debug)]
pub struct Plan {
    pub quick: bool,
    /// Only the most telling peers.
    pub telling: bool,
    /// In this order.
    pub tables: Vec<Table>,
    pub rounds: usize,
    /// Requests as fast as they go, per variant and round.
    pub requests: usize,
    /// Requests at moderate load, per variant and round.
    pub moderate: usize,
    /// Requests before each measurement, and their like before the first round.
    pub settle: usize,
    /// Cores that this process may use.
    pub cores: Vec<usize>,
}

impl Table {
    pub const ALL: [Self; 6] = [Self::Peers, Self::Routes, Self::Keys, Self::Protocols, Self::Signatures, Self::Start];

    pub fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Routes => "routes",
            Self::Keys => "keys",
            Self::Protocols => "protocols",
            Self::Signatures => "signatures",
            Self::Start => "start",
        }
    }
}

impl Plan {
    /// Where Envoy runs, and where everything else does: far apart, since neighbours may be two halves of one core.
    pub fn sides(&self) -> [&[usize]; 2] {
        match self.cores.as_slice() {
            [first, .., last] => [std::slice::from_ref(first), std::slice::from_ref(last)],
            all => [all, all],
        }
    }

    /// Reads the command line.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut quick, mut rounds, mut tables) = (false, None, Vec::new());
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says so.
                "--bench" => {}
                "--quick" => quick = true,
                "--rounds" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    rounds = Some(number.filter(|number| *number > 0).ok_or("--rounds wants a number")?);
                }
                name => tables.push(
                    Table::ALL
                        .into_iter()
                        .find(|table| table.name() == name)
                        .ok_or_else(|| format!("`{name}`? {USAGE}"))?,
                ),
            }
        }
        let telling = quick && tables.is_empty();
        if tables.is_empty() {
            tables = if quick { vec![Table::Peers, Table::Signatures] } else { Table::ALL.to_vec() };
        }
        let few = |few: usize, many: usize| if quick { few } else { many };
        Ok(Self {
            quick,
            telling,
            tables,
            rounds: rounds.unwrap_or(few(5, 11)),
            requests: few(4_000, 20_000),
            moderate: few(2_000, 10_000),
            settle: 1_000,
            cores: cpu::cores()?,
        })
    }
}

const USAGE: &str =
    "Known are --quick, --rounds NUMBER, and the tables peers, routes, keys, protocols, signatures and start.";
