//! Waiting on a condition, never for a length of time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::Result;

/// Asks `condition` until it answers, at most for `patience`. `what` names it where it never does.
pub async fn until<T, F>(what: &str, patience: Duration, mut condition: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = condition().await {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(format!("waited {patience:?} in vain: {what}").into());
        }
        tokio::time::sleep(STEP).await;
    }
}

const STEP: Duration = Duration::from_millis(10);
