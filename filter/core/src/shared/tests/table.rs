use super::*;

#[test]
fn the_lowest_live_vm_reports_for_all() {
    let world = World::new(1);
    let [mut a, mut b, mut c] = [0; 3].map(|ms| Worker::start(&world, at(ms)));
    let holds =
        |entries, soonest_expiry_ms| Contribution { entries, bytes: 10, memory_bytes: 1_000, soonest_expiry_ms };
    assert_eq!(b.shared.beat(&mut b.host, holds(2, Some(40)), at(100)), None);
    assert_eq!(c.shared.beat(&mut c.host, holds(3, None), at(100)), None);
    let totals = a.shared.beat(&mut a.host, holds(1, Some(70)), at(101)).unwrap();
    let sum = Contribution { entries: 6, bytes: 30, memory_bytes: 3_000, soonest_expiry_ms: Some(40) };
    assert_eq!(totals, Totals { sum, vms: 3 });
    assert_eq!(b.shared.beat(&mut b.host, holds(2, None), at(601)), None, "the lowest may still live");
    let totals = b.shared.beat(&mut b.host, holds(2, None), at(602)).unwrap();
    assert_eq!((totals.vms, totals.sum.entries), (1, 2), "nobody else has beaten for 500 ms");
}

#[test]
fn there_are_as_many_values_as_were_asked_for() {
    let (world, ..) = two();
    let names = world.names();
    assert_eq!(names.len(), 1 + 8 + 8 + 2 + 4);
    assert!(names.iter().all(|name| name.starts_with("cloakroom/1/")), "{names:?}");
}

#[test]
fn places_are_used_again_and_a_full_table_shares_nothing() {
    let world = World::new(1);
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::start(&world, at(0))).collect();
    let mut host = world.host();
    assert!(Shared::open(&mut host, COUNTS, at(5_000)).is_none());
    assert_eq!(workers.iter().map(|worker| worker.shared.place()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for live in [0, 1, 3] {
        workers[live].beat(at(5_000));
    }
    assert_eq!(Shared::open(&mut host, COUNTS, at(5_001)).unwrap().place(), 2);
}

#[test]
fn a_vm_whose_place_is_gone_takes_another_and_is_not_woken_for_the_old_one() {
    let world = World::new(1);
    let mut slow = Worker::start(&world, at(0));
    let mut new = Worker::start(&world, at(6_000));
    assert_eq!((slow.shared.place(), new.shared.place()), (0, 0));
    let key = key("t");
    assert!(matches!(slow.lease(&key, at(6_001)), Lease::Taken(_)), "it does not know yet");
    slow.beat(at(6_002));
    assert_eq!((slow.shared.place(), slow.shared.queue), (1, None));
    let ticket = new.take(&key, at(6_003));
    assert!(matches!(slow.lease(&key, at(6_003)), Lease::Held));
    new.publish(ticket, "Bearer x", at(6_004));
    assert_eq!(world.take_knocks(100), 0);
    assert!(matches!(slow.lease(&key, at(6_005)), Lease::Answered(_)), "asking again finds it");
}

#[test]
fn a_vm_without_a_place_asks_for_itself() {
    let world = World::new(1);
    let mut slow = Worker::start(&world, at(0));
    let _others: Vec<Worker> = (0..4).map(|_| Worker::start(&world, at(6_000))).collect();
    assert_eq!(slow.beat(at(6_001)), None);
    assert!(matches!(slow.lease(&key("t"), at(6_001)), Lease::Alone));
    slow.beat(at(12_000));
    assert!(matches!(slow.lease(&key("t"), at(12_000)), Lease::Taken(_)));
}
