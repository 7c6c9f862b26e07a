//! Medians, spreads and quantiles.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

/// Middle, least and most of a series.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// Of no values at all everything is not a number.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), least: at(0), most: at(last) }
    }

    pub fn json(self) -> Value {
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        json!({"median": rounded(self.median), "min": rounded(self.least), "max": rounded(self.most)})
    }
}

/// `6.4 (5.9 to 7.1)`, with one digit behind the point or as many as are asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        write!(f, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}

/// The value that this part of `sorted` does not exceed, in microseconds.
pub fn quantile(sorted: &[Duration], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).map_or(f64::NAN, |duration| micros(*duration))
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
