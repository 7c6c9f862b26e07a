//! Bodies that are read to be signed. Each callback brings what has come so far, and what is new of that is digested.

use std::rc::Rc;

use filter_core::{flow::Refused, refusal::Refusal};
use token::reason::Reason;

use crate::{abi, host, worker::Worker};

/// Reads what has come since the last time, if the stream's body is read. `size` bytes have come in all.
///
/// # Errors
/// The refusal: the body is too long, or cannot be read.
pub fn read(worker: &Worker, stream: u32, size: usize) -> Result<(), Refused> {
    if !worker.reads_bodies {
        return Ok(());
    }
    loop {
        let Some(read) = worker.flow.try_borrow().map_err(|_| broken())?.body_read(stream) else { return Ok(()) };
        let start = usize::try_from(read).map_err(|_| broken())?;
        let Some(new) = size.checked_sub(start).filter(|new| *new > 0) else { return Ok(()) };
        let bytes = host::request_body(start, new.min(PIECE)).map_err(|_| broken())?;
        // No progress is no way to the end.
        if bytes.is_empty() {
            return Err(broken());
        }
        worker.flow.try_borrow_mut().map_err(|_| broken())?.on_body(stream, &bytes)?;
    }
}

/// The stream's body has ended. If it was read, and the credential is there, that is written: then the request may go on.
///
/// # Errors
/// The refusal.
pub fn end(worker: &Worker, stream: u32) -> Result<(), Refused> {
    if !worker.reads_bodies {
        return Ok(());
    }
    let ended = worker.flow.try_borrow_mut().map_err(|_| broken())?.on_body_end(stream, host::now());
    match ended {
        None => Ok(()),
        Some(Ok(forward)) => worker.write_into_current(&forward),
        Some(Err(refused)) => Err(refused),
    }
}

/// Tells those whose bodies took too long, and forgets those who have gone.
pub fn on_tick(worker: &Worker) {
    if !worker.reads_bodies {
        return;
    }
    let Ok(late) = worker.flow.try_borrow_mut().map(|mut flow| {
        flow.forget_gone(|stream| abi::set_effective_context(stream).is_ok());
        flow.late_bodies(host::now())
    }) else {
        return;
    };
    late.into_iter().for_each(|delivery| worker.deliver(delivery));
    // The calls that follow in this callback are the root's own again.
    _ = abi::set_effective_context(worker.root);
}

fn broken() -> Refused {
    let refusal = Refusal::new(Reason::FilterOverloaded).detail("the request's body cannot be read");
    Refused { route: None, refusal: Rc::new(refusal) }
}

/// So much is read at once: it fits into the memory for answers that is there anyway.
const PIECE: usize = 64 * 1024;
