//! What happens to one request. No state is kept here: what is remembered of a stream stands with its worker, bounded.

use std::rc::Rc;

use filter_core::{
    flow::{Arrival, Outcome, Refused, Verdict},
    refusal::Refusal,
};
use token::reason::Reason;

use crate::{
    abi::{Action, Status},
    body,
    connection::CurrentConnection,
    host::{self, HeaderBytes, SharedData},
    root, vm,
    worker::{self, Worker},
};

/// Decides on a request. Without a worker (its configuration was refused, or it cannot be told which one it is) everything is
/// refused.
///
/// What is refused or waits is held with all that follows, and its body never comes here. Only a request whose body is to be
/// read is held without its body; what of its headers must not go on is removed before that, and [`on_request_body`] lets
/// nothing go on that waits.
pub fn on_request_headers(stream: u32, has_body: bool) -> Action {
    let Some(worker) = vm::worker_of_stream(stream) else {
        worker::respond(&Refusal::new(Reason::FilterOverloaded).detail("the filter is not configured"));
        return Action::Hold;
    };
    decide(stream, has_body, &worker).unwrap_or_else(|refused| {
        worker.refuse(stream, &refused);
        Action::Hold
    })
}

fn decide(stream: u32, has_body: bool, worker: &Rc<Worker>) -> Result<Action, Refused> {
    let broken = |_: Status| unrouted(Refusal::new(Reason::FilterOverloaded).detail("the request cannot be read"));
    let bytes = HeaderBytes::of_request().map_err(broken)?;
    let headers = bytes.pairs().map_err(broken)?;
    #[cfg(feature = "fault-injection")]
    crate::fault::on_request(&headers);
    let route = worker.route().map_err(broken)?;
    let now = host::now();
    let step = {
        let flow = worker.flow.try_borrow_mut();
        let mut flow = flow.map_err(|_| unrouted(Refusal::new(Reason::FilterOverloaded)))?;
        let arrival = Arrival { stream, route: route.as_deref(), has_body, connection: &CurrentConnection };
        flow.on_request(&mut SharedData, arrival, &headers, now)
    };
    worker::apply(&step.edits).map_err(broken)?;
    match step.verdict {
        Verdict::Pass { route: index } => {
            worker.note_choice(route.as_deref().unwrap_or_default()).map_err(broken)?;
            worker.count(index, Outcome::Untouched);
            Ok(Action::Continue)
        }
        Verdict::Forward(forward) => {
            worker.write(&forward, &headers, &step.edits, now)?;
            Ok(Action::Continue)
        }
        Verdict::Park { start, reads } => {
            let came = if start { worker.while_deciding(stream, || root::start_exchanges(worker)) } else { None };
            let held = if reads { Action::Pause } else { Action::Hold };
            came.map_or(Ok(held), |verdict| verdict.map(|()| Action::Continue))
        }
        Verdict::Read => Ok(Action::Pause),
        Verdict::Refuse(refused) => Err(refused),
    }
}

/// Held back while its request waits for a credential or is being read, and for ever when it was refused and that could not be
/// said. `size` bytes have come in all of a body that is held.
pub fn on_request_body(stream: u32, size: usize, ends: bool) -> Action {
    let Some(worker) = vm::worker_of_stream(stream) else { return Action::Pause };
    let read = body::read(&worker, stream, size).and_then(|()| if ends { body::end(&worker, stream) } else { Ok(()) });
    if let Err(refused) = read {
        worker.refuse(stream, &refused);
        return Action::Pause;
    }
    if worker.may_go_on(stream) { Action::Continue } else { Action::Pause }
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
    if removed.is_err() {
        return Action::Pause;
    }
    if let Err(refused) = body::end(&worker, stream) {
        worker.refuse(stream, &refused);
        return Action::Pause;
    }
    if worker.may_go_on(stream) { Action::Continue } else { Action::Pause }
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
