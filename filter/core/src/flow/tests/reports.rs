//! What a worker tells of itself.

use super::*;

#[test]
fn what_is_held_is_told_with_the_token_that_ends_first() {
    let mut worker = Worker::alone();
    worker.warm("long", 600, START, START);
    worker.warm("short", 60, START, START);
    let totals = (1..=10).map(|tick| {
        worker.flow.on_tick(&mut worker.host, 65_536, later(tick * 100));
        worker.flow.take_report().totals.unwrap()
    });
    let totals = totals.last().unwrap();
    assert_eq!((totals.vms, totals.sum.entries, totals.sum.memory_bytes), (1, 2, 65_536));
    assert!(totals.sum.bytes > 100);
    assert_eq!(totals.sum.soonest_expiry_ms, Some(53_000), "found out at least once a second");
}

#[test]
fn one_worker_tells_what_all_of_them_hold() {
    let world = World::new(4);
    let mut workers: [Worker; 3] =
        std::array::from_fn(|place| Worker::of(&world, u32::try_from(place).unwrap(), START));
    workers[0].warm("t", 60, START, START);
    workers[1].hit(2, "t", START);
    workers[2].warm("u", 60, START, START);
    let mut told = Vec::new();
    for ms in [100, 200] {
        told = workers
            .iter_mut()
            .map(|worker| {
                worker.tick(later(ms));
                worker.flow.take_report().totals
            })
            .collect();
    }
    assert!(told[1].is_none() && told[2].is_none());
    let totals = told[0].unwrap();
    assert_eq!((totals.vms, totals.sum.entries), (3, 3));
}

#[test]
fn that_the_circuit_opened_is_told_once_each_time() {
    let mut worker = Worker::alone();
    let opened = |worker: &mut Worker, ms| {
        worker.tick(later(ms));
        worker.flow.take_report().opened
    };
    assert!(!opened(&mut worker, 100));
    worker.break_circuit(later(150));
    assert!(opened(&mut worker, 200));
    assert!(!opened(&mut worker, 300));
    worker.mend_circuit();
    assert!(!opened(&mut worker, 400));
    worker.break_circuit(later(450));
    assert!(opened(&mut worker, 500));
}
