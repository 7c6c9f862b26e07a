//! What happens where there is no room.

use super::*;

/// Takes every lease that there is room for.
pub(super) fn fill(worker: &mut Worker, now: Now) -> Vec<Ticket> {
    let leases = (0..200).map(|number| worker.lease(&key(&format!("filling-{number}")), now));
    leases.filter_map(|lease| if let Lease::Taken(ticket) = lease { Some(ticket) } else { None }).collect()
}

#[test]
fn without_room_for_a_lease_one_asks_alone_and_nobody_loses_one() {
    let (_, mut a, mut b) = two();
    let tickets = fill(&mut a, at(0));
    assert_eq!(tickets.len(), 16, "eight in each of two sets");
    assert!(matches!(b.lease(&key("t"), at(1)), Lease::Alone));
    for ticket in tickets {
        assert_eq!(a.refuse(ticket, Reason::PolicyDenied, at(2)), Outcome::Kept);
    }
    assert!(matches!(b.lease(&key("t"), at(3)), Lease::Taken(_)));
}

#[test]
fn a_late_answer_whose_lease_was_reused_is_not_trusted() {
    let (_, mut a, mut b) = two();
    let late = a.take(&key("t"), at(0));
    b.beat(at(1_000));
    assert_eq!(fill(&mut b, at(1_000)).len(), 16);
    // Whether there was an invalidation since cannot be told any more.
    assert_eq!(a.publish(late, "Bearer x", at(1_001)), Outcome::Invalidated);
    assert_eq!(b.find(&key("t"), at(1_002)), None);
}

#[test]
fn the_token_that_ends_first_makes_room() {
    let (_, mut a, mut b) = two();
    let mut put = |token: &str, lives_ms| {
        let ticket = a.take(&key(token), at(0));
        let issued = issued(token);
        let answer = Published::Issued { issued: &issued, asked: at(0), until: at(0).after(lives_ms) };
        assert_eq!(a.shared.publish(&mut a.host, ticket, answer, at(0)), Outcome::Kept);
    };
    put("long", 60_000);
    (0..50).for_each(|number| put(&format!("short-{number}"), 10_000));
    assert_eq!(b.find(&key("long"), at(1)).as_deref(), Some("long"));
    let short = (0..50).filter(|number| b.find(&key(&format!("short-{number}")), at(1)).is_some());
    assert_eq!(short.count(), 7, "all eight slots are in use");
}

#[test]
fn more_wait_than_can_be_noted() {
    let (world, mut a, mut b) = two();
    let ticket = a.take(&key("t"), at(0));
    for queue in 1_000..1_100 {
        b.shared.attend(queue);
        assert!(matches!(b.lease(&key("t"), at(0)), Lease::Held));
    }
    assert_eq!(a.publish(ticket, "Bearer x", at(1)), Outcome::Kept);
    assert_eq!((1_000..1_100).filter(|queue| world.take_knocks(*queue) > 0).count(), 64);
    assert!(b.find(&key("t"), at(2)).is_some());
}
