//! Measuring: rounds in turn, processor time beside the clock's, medians with spread.

use std::{
    fs,
    task::Poll,
    time::{Duration, Instant},
};

use serde::Serialize;

/// How long to measure.
#[derive(Clone, Copy, Serialize)]
pub struct Plan {
    /// How often each variant has its turn.
    pub rounds: usize,
    /// How long a turn of an exchange variant lasts.
    #[serde(serialize_with = "as_seconds")]
    pub exchange: Duration,
    /// How long a turn of a signature variant lasts.
    #[serde(serialize_with = "as_seconds")]
    pub signature: Duration,
    /// How many workloads' tokens are rotated at once.
    pub workloads: usize,
}

/// One turn.
#[derive(Clone, Copy)]
pub struct Turn {
    pub operations: u64,
    pub wall: Duration,
    pub processor: Duration,
}

/// The median of several turns, with the lowest and the highest.
#[derive(Clone, Copy, Serialize)]
pub struct Figure {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

/// What the clocks show at the start of a turn.
pub struct Stopwatch {
    wall: Instant,
    processor: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { wall: Instant::now(), processor: processor_time() }
    }

    pub fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }

    pub fn stop(&self, operations: u64) -> Turn {
        Turn { operations, wall: self.wall.elapsed(), processor: processor_time().saturating_sub(self.processor) }
    }
}

impl Figure {
    /// Operations per second of processor time.
    pub fn per_core(turns: &[Turn]) -> Self {
        Self::of(turns, |turn| turn.operations as f64 / turn.processor.as_secs_f64())
    }

    /// Operations per second.
    pub fn per_second(turns: &[Turn]) -> Self {
        Self::of(turns, |turn| turn.operations as f64 / turn.wall.as_secs_f64())
    }

    fn of(turns: &[Turn], value: impl Fn(&Turn) -> f64) -> Self {
        let mut values: Vec<f64> = turns.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], lowest: values[0], highest: values[values.len() - 1] }
    }
}

/// Works on all of `tasks` at once, on this thread, and adds up what they give.
pub async fn together(tasks: impl Iterator<Item = impl Future<Output = u64>>) -> u64 {
    let mut tasks: Vec<_> = tasks.map(Box::pin).collect();
    let mut sum = 0;
    std::future::poll_fn(|context| {
        tasks.retain_mut(|task| match task.as_mut().poll(context) {
            Poll::Ready(value) => {
                sum += value;
                false
            }
            Poll::Pending => true,
        });
        if tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    sum
}

/// The memory of this process that is in use, in bytes.
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("memory is read from /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") * 1024
}

/// The processor time of all threads of this process so far, in nanoseconds as Linux counts them.
fn processor_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("processor time is read from /proc");
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
