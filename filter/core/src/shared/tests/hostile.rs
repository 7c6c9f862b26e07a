use super::*;

/// One token shared, and the slot it is in.
fn shared_token() -> (World, Worker, Worker, String) {
    let (world, mut a, b) = two();
    let ticket = a.take(&key("t"), at(0));
    a.publish(ticket, "Bearer x", at(0));
    let slot = world.names().into_iter().find(|name| name.contains("/token/") && world.value(name).unwrap().len() > 1);
    (world, a, b, slot.unwrap())
}

#[test]
fn every_changed_or_missing_byte_makes_it_nothing() {
    let (world, _, mut b, slot) = shared_token();
    let value = world.value(&slot).unwrap();
    for at_byte in 0..value.len() {
        let mut changed = value.clone();
        changed[at_byte] ^= 0x10;
        world.write(&slot, &changed);
        assert_eq!(b.find(&key("t"), at(1)), None, "byte {at_byte}");
        world.write(&slot, &value[..at_byte]);
        assert_eq!(b.find(&key("t"), at(1)), None, "{at_byte} bytes");
    }
    world.write(&slot, &value);
    assert!(b.find(&key("t"), at(1)).is_some());
}

#[test]
fn moved_to_another_slot_it_is_nothing() {
    let (world, _, mut b, slot) = shared_token();
    let value = world.value(&slot).unwrap();
    world.write(&slot, &[1]);
    for other in world.names().into_iter().filter(|name| *name != slot && !name.contains("/layout")) {
        let before = world.value(&other).unwrap();
        world.write(&other, &value);
        assert_eq!(b.find(&key("t"), at(1)), None, "{other}");
        world.write(&other, &before);
    }
}

#[test]
fn a_seal_opens_only_for_the_same_native_token_key_nonce_and_place() {
    let digest = KeyDigest([1; 32]);
    let seal = |subject: &str, digest| seal::Seal::new(&Secret::new(subject), &digest);
    let mut text = String::with_capacity(64);
    text.push_str("Bearer x\n[]");
    let sealed = seal("t", digest).close(text, [2; 24], b"slot").unwrap();
    assert_eq!(seal("t", digest).open(&sealed, [2; 24], b"slot").unwrap().expose(), "Bearer x\n[]");
    assert!(seal("u", digest).open(&sealed, [2; 24], b"slot").is_none());
    assert!(seal("t", KeyDigest([3; 32])).open(&sealed, [2; 24], b"slot").is_none());
    assert!(seal("t", digest).open(&sealed, [3; 24], b"slot").is_none());
    assert!(seal("t", digest).open(&sealed, [2; 24], b"other").is_none());
    assert!(seal("t", digest).open(&sealed[..15], [2; 24], b"slot").is_none());
}

#[test]
fn nothing_that_others_write_shows_a_token_or_the_native_one() {
    let (world, ..) = shared_token();
    for name in world.names() {
        let value = world.value(&name).unwrap();
        assert!(!String::from_utf8_lossy(&value).contains("Bearer"), "{name}");
    }
}

#[test]
fn a_life_longer_than_a_day_is_cut_and_one_that_says_so_is_not_believed() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    let day = 24 * 60 * 60 * 1_000;
    let issued = issued("Bearer x");
    let answer = Published::Issued { issued: &issued, asked: at(0), until: at(0).after(10 * day) };
    assert_eq!(a.shared.publish(&mut a.host, ticket, answer, at(0)), Outcome::Kept);
    assert!(b.find(&key, at(day - 1_001)).is_some());
    assert_eq!(b.find(&key, at(day - 1_000)), None);
    let back = Now { unix_ms: at(0).unix_ms - 2_000, ..at(1) };
    assert_eq!(b.find(&key, back), None, "the wall clock was set back");
}

#[test]
fn a_header_value_that_could_end_a_header_is_nothing() {
    for value in ["", "Bearer \r\nx: y", "Bearer \u{e9}", "a\tb"] {
        let (_, mut a, mut b) = two();
        let ticket = a.take(&key("t"), at(0));
        a.publish(ticket, value, at(0));
        assert_eq!(b.find(&key("t"), at(1)), None, "{value:?}");
    }
}

#[test]
fn a_foreign_layout_is_replaced_and_one_of_ours_adopted() {
    for foreign in [&b""[..], b"hello", &[1], &[2; 17], &[0xff; 17]] {
        let world = World::new(1);
        world.write("cloakroom/1/layout", foreign);
        let (mut a, mut b) = (Worker::start(&world, at(0)), Worker::start(&world, at(0)));
        let ticket = a.take(&key("t"), at(0));
        a.publish(ticket, "Bearer x", at(0));
        assert!(b.find(&key("t"), at(1)).is_some());
    }
    let (world, ..) = two();
    let names = world.names();
    let mut host = world.host();
    let more = Counts { tokens: 400, ..COUNTS };
    assert!(Shared::open(&mut host, more, at(0)).is_some());
    assert_eq!(world.names(), names);
}

#[test]
fn leases_that_cannot_be_are_taken_over() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    let _lost = a.take(&key, at(0));
    let slots: Vec<String> = world.names().into_iter().filter(|name| name.contains("/lease/")).collect();
    let slot = slots.iter().find(|name| world.value(name).unwrap().len() > 1).unwrap();
    let value = world.value(slot).unwrap();
    // The moment at which it ends stands before the number of waiters, in the last nine bytes.
    let mut endless = value.clone();
    let end = endless.len() - 9;
    endless[end..end + 8].copy_from_slice(&u64::MAX.to_be_bytes());
    for hostile in [&endless[..], &[], &[1, 200], &[7; 300], &value[..value.len() - 1], &[&value[..], &[0]].concat()] {
        world.write(slot, hostile);
        let ticket = b.take(&key, at(1));
        b.shared.release(&mut b.host, ticket);
    }
}

#[test]
fn a_beat_from_the_future_is_none() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    let _lost = a.take(&key, at(0));
    a.beat(at(0));
    let mut value = world.value("cloakroom/1/vm/0").unwrap();
    value[17..25].copy_from_slice(&u64::MAX.to_be_bytes());
    world.write("cloakroom/1/vm/0", &value);
    assert!(matches!(b.lease(&key, at(1)), Lease::Taken(_)));
    assert_eq!(b.beat(at(2)).unwrap().vms, 1);
}
