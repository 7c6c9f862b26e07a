//! What happens to a configuration as a whole: it is put in force, time passes, other workers knock, the STS answers.

use std::{rc::Rc, sync::Arc};

use filter_core::{
    config::Config,
    flow::{Ask, Flow, NO_ANSWER, Next, Settled},
    reply::{Answer, MAX_BODY_LENGTH},
};
use token::message::{PROTOCOL_HEADER, PROTOCOL_VERSION};

use crate::{
    abi::{self, Status},
    body,
    host::{self, SharedData},
    log_line, vm,
    worker::Worker,
};

/// How often overdue exchanges are given up, tokens are renewed and statistics are written.
const TICK_MS: u32 = 100;

/// Puts a configuration in force. `false`: it is refused, and Envoy refuses what it belongs to.
pub fn on_configure(root: u32, size: usize) -> bool {
    log_line::install();
    host::follow_log_level();
    match configure(root, size) {
        Ok(worker) => {
            vm::configured(root, Rc::new(worker));
            true
        }
        Err(error) => {
            log::error!("{error}");
            false
        }
    }
}

fn configure(root: u32, size: usize) -> Result<Worker, String> {
    let call = |what: &'static str| move |status: Status| format!("{what} failed: {status:?}");
    let json = host::plugin_configuration(size).map_err(call("reading the configuration"))?;
    let config = Arc::new(Config::parse(&json).map_err(|error| format!("configuration refused: {error}"))?);
    abi::set_tick_period(TICK_MS).map_err(call("setting the tick"))?;
    let mut flow = Flow::new(Arc::clone(&config), host::entropy(), host::now());
    let shares = flow.share(&mut SharedData, host::now());
    let worker = Worker::new(root, &config, flow);
    listen(&worker);
    #[cfg(feature = "fault-injection")]
    crate::fault::announce();
    log::info!(
        "listener {} with {} routes configured; this worker {}",
        config.listener(),
        config.routes().count(),
        if shares { "shares tokens with the others" } else { "works for itself" }
    );
    Ok(worker)
}

/// Registers the queue by which other workers wake this one, if it has none. Its name is that of the worker's place among
/// the VMs, so that names are used again.
fn listen(worker: &Worker) {
    let Ok(mut flow) = worker.flow.try_borrow_mut() else { return };
    if let Some(name) = flow.queue_wanted() {
        match abi::register_queue(&name) {
            Ok(queue) => flow.attend(queue),
            Err(status) => log::warn!("no queue could be had ({status:?}); answers of other workers come by tick"),
        }
    }
}

/// Asks for every exchange that waits to be asked for.
pub fn start_exchanges(worker: &Worker) {
    loop {
        let now = host::now();
        let next = worker.flow.try_borrow_mut().map(|mut flow| flow.next(&mut SharedData, now));
        match next {
            Ok(Next::Ask(ask)) => {
                let id = ask.id;
                if let Err(status) = ask_sts(worker, &ask) {
                    log::warn!("the STS could not be called: {status:?}");
                    settle(worker, |flow| flow.on_answer(&mut SharedData, id, NO_ANSWER, host::now()));
                }
            }
            Ok(Next::Settled(settled)) => worker.settle(settled),
            Ok(Next::Nothing) | Err(_) => return,
        }
    }
}

fn ask_sts(worker: &Worker, ask: &Ask) -> Result<(), Status> {
    let config = Arc::clone(worker.flow.try_borrow().map_err(|_| Status::InternalFailure)?.config());
    let sts = config.sts();
    let version = PROTOCOL_VERSION.to_string();
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":path", sts.path.as_str()),
        (":authority", sts.authority.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        (PROTOCOL_HEADER, version.as_str()),
    ];
    if let Some(traceparent) = &ask.traceparent {
        headers.push(("traceparent", traceparent));
    }
    if ask.fresh {
        headers.push(("cache-control", "no-cache"));
    }
    // In the root's name, so that the call and its answer do not end with a client.
    abi::set_effective_context(worker.root)?;
    let call = host::call(&sts.cluster, &headers, &ask.request.to_form(), sts.timeout_ms)?;
    worker.calls.try_borrow_mut().map_err(|_| Status::InternalFailure)?.insert(call, ask.id);
    #[cfg(feature = "fault-injection")]
    crate::fault::after_ask();
    Ok(())
}

/// The STS has answered a call, or will not: then there are no headers.
pub fn on_call_answered(root: u32, call: u32, headers: usize, body_size: usize) {
    let Some(worker) = vm::worker_of_root(root) else { return };
    let Some(id) = worker.calls.try_borrow_mut().ok().and_then(|mut calls| calls.remove(&call)) else { return };
    let head = if headers == 0 { Err(Status::Empty) } else { host::call_answer_head() };
    let body = host::call_answer_body(body_size, MAX_BODY_LENGTH.saturating_add(1));
    settle(&worker, |flow| {
        let answer = match (&head, &body) {
            (Ok((status, decision_id)), Ok(body)) => Answer {
                status: *status,
                decision_id: decision_id.as_deref(),
                body: body.as_deref().unwrap_or_default(),
            },
            _ => NO_ANSWER,
        };
        flow.on_answer(&mut SharedData, id, answer, host::now())
    });
    start_exchanges(&worker);
}

/// Another worker has news. What the message says is of no account: everybody can write to a queue.
pub fn on_queue_ready(root: u32, queue: u32) {
    while abi::dequeue(queue).is_ok() {}
    if let Some(worker) = vm::worker_of_root(root) {
        if let Ok(mut flow) = worker.flow.try_borrow_mut() {
            flow.on_wake();
        }
        start_exchanges(&worker);
    }
}

/// Time has passed.
pub fn on_tick(root: u32) {
    vm::on_tick(root);
    host::follow_log_level();
    let Some(worker) = vm::worker_of_root(root) else { return };
    settle(&worker, |flow| flow.on_tick(&mut SharedData, host::memory_bytes(), host::now()));
    body::on_tick(&worker);
    start_exchanges(&worker);
    listen(&worker);
    if let (Ok(mut metrics), Ok(mut flow)) = (worker.metrics.try_borrow_mut(), worker.flow.try_borrow_mut()) {
        metrics.flush(flow.take_report());
    };
}

fn settle<S: IntoIterator<Item = Settled>>(worker: &Worker, news: impl FnOnce(&mut Flow) -> S) {
    let settled = worker.flow.try_borrow_mut().map(|mut flow| news(&mut flow));
    for settled in settled.into_iter().flatten() {
        worker.settle(settled);
    }
}
