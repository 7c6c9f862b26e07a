//! What happens to one request. No state is kept here: what is remembered of a stream stands with its worker, bounded.

use std::rc::Rc;

use filter_core::{
    flow::{Arrival, Outcome, Refused, Verdict},
    refusal::Refusal,
};
use token::reason::Reason;

use crate::{
    abi::{Action, Status},
    connection::CurrentConnection,
    host::{self, HeaderBytes, SharedData},
    root, vm,
    worker::{self, Worker},
};

/// Decides on a request. Without a worker (its configuration was refused, or it cannot be told which one it is) everything is
/// refused.
pub fn on_request_headers(stream: u32) -> Action {
    let Some(worker) = vm::worker_of_stream(stream) else {
        worker::respond(&Refusal::new(Reason::FilterOverloaded).detail("the filter is not configured"));
        return Action::Pause;
    };
    decide(stream, &worker).unwrap_or_else(|refused| {
        worker.refuse(stream, &refused);
        Action::Pause
    })
}

fn decide(stream: u32, worker: &Rc<Worker>) -> Result<Action, Refused> {
    let broken = |_: Status| unrouted(Refusal::new(Reason::FilterOverloaded).detail("the request cannot be read"));
    let bytes = HeaderBytes::of_request().map_err(broken)?;
    let headers = bytes.pairs().map_err(broken)?;
    #[cfg(feature = "fault-injection")]
    crate::fault::on_request(&headers);
    let route = worker.route().map_err(broken)?;
    let step = {
        let flow = worker.flow.try_borrow_mut();
        let mut flow = flow.map_err(|_| unrouted(Refusal::new(Reason::FilterOverloaded)))?;
        let arrival = Arrival { stream, route: route.as_deref(), connection: &CurrentConnection };
        flow.on_request(&mut SharedData, arrival, &headers, host::now())
    };
    worker::apply(&step.edits).map_err(broken)?;
    match step.verdict {
        Verdict::Pass { route: index } => {
            worker.note_choice(route.as_deref().unwrap_or_default()).map_err(broken)?;
            worker.count(index, Outcome::Untouched);
            Ok(Action::Continue)
        }
        Verdict::Forward(forward) => {
            worker.write(&forward)?;
            Ok(Action::Continue)
        }
        Verdict::Park { start } => {
            let came = if start { worker.while_deciding(stream, || root::start_exchanges(worker)) } else { None };
            came.map_or(Ok(Action::Pause), |verdict| verdict.map(|()| Action::Continue))
        }
        Verdict::Refuse(refused) => Err(refused),
    }
}

/// Held back while its request waits for a credential, and for ever when it was refused and that could not be said.
pub fn on_request_body(stream: u32) -> Action {
    match vm::worker_of_stream(stream) {
        Some(worker) if worker.may_go_on(stream) => Action::Continue,
        _ => Action::Pause,
    }
}

/// Trailers may not carry what headers may not.
pub fn on_request_trailers(stream: u32) -> Action {
    let Some(worker) = vm::worker_of_stream(stream) else { return Action::Pause };
    let removed = HeaderBytes::of_request_trailers().and_then(|bytes| {
        let trailers = bytes.pairs()?;
        let route = worker.route()?;
        let flow = worker.flow.try_borrow().map_err(|_| Status::InternalFailure)?;
        flow.trailer_removals(stream, route.as_deref(), &trailers)
            .into_iter()
            .try_for_each(host::remove_request_trailer)
    });
    if removed.is_err() || !worker.may_go_on(stream) { Action::Pause } else { Action::Continue }
}

/// The destination's own refusal of a token ends that token.
pub fn on_response_headers(stream: u32) {
    if host::answered_unauthorized()
        && let Some(worker) = vm::worker_of_stream(stream)
        && let Ok(mut flow) = worker.flow.try_borrow_mut()
    {
        flow.on_unauthorized(&mut SharedData, stream, host::now());
    }
}

fn unrouted(refusal: Refusal) -> Refused {
    Refused { route: None, refusal: Rc::new(refusal) }
}
