//! One source may not ask for all.

use super::*;

fn limited(verdict: &Verdict) -> bool {
    let Some(refused) = refusal(verdict) else { return false };
    let response = response(refused);
    let limited = refused.refusal.reason() == Some(Reason::SourceLimited);
    assert!(!limited || response.status == 429 && retry_after(&response).is_some_and(|seconds| seconds >= 1));
    limited
}

fn two_at_a_time() -> Worker {
    Worker::with(&json!({"limits": {"shared_tokens": 0, "pending_per_source": 2}}))
}

#[test]
fn a_source_has_so_many_exchanges_under_way_and_others_are_not_the_worse_for_it() {
    let mut worker = two_at_a_time();
    worker.parks(1, "a", START);
    worker.parks(2, "b", START);
    assert!(limited(&worker.get(3, "c", START)));
    worker.parks(4, "a", START);
    worker.source = "10.0.0.2:4711".to_owned();
    worker.parks(5, "c", START);
    worker.source = "10.0.0.1:9999".to_owned();
    assert!(limited(&worker.get(6, "d", START)), "another port is no other source");
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    worker.parks(7, "d", START);
    assert!(limited(&worker.get(8, "e", START)));
}

#[test]
fn hits_are_never_limited() {
    let mut worker = two_at_a_time();
    worker.warm("t", 60, START, START);
    worker.parks(1, "a", START);
    worker.parks(2, "b", START);
    for stream in 10..1_000 {
        worker.hit(stream, "t", later(1));
    }
}

#[test]
fn however_an_exchange_ends_its_place_is_free_again_once() {
    let ends: [fn(&mut Worker); 5] = [
        |worker| {
            let ask = worker.ask(START);
            worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
        },
        |worker| {
            let ask = worker.ask(START);
            worker.answer(ask.id, NO_ANSWER, START).unwrap();
        },
        |worker| {
            worker.break_circuit(START);
            worker.told(START);
            worker.mend_circuit();
        },
        |worker| {
            let (ask, _other) = (worker.ask(START), worker.ask(START));
            // Invalidated on its way, again and again.
            for _ in 0..3 {
                worker.flow.pending.get_mut(ask.id).unwrap().invalidated = true;
                if worker.answer(ask.id, ok(&issued("i", 60)), START).is_none() {
                    worker.ask(START);
                }
            }
            assert!(worker.flow.pending.get_mut(ask.id).is_none());
        },
        |worker| {
            let id = worker.ask(START).id;
            assert_eq!(worker.tick(later(PATIENCE_MS)).len(), 2);
            assert!(worker.flow.pending.get_mut(id).is_none());
            worker.rests(later(PATIENCE_MS));
        },
    ];
    for (which, end) in ends.into_iter().enumerate() {
        let mut worker = two_at_a_time();
        worker.parks(1, "a", START);
        worker.parks(2, "b", START);
        end(&mut worker);
        if which < 4 {
            worker.parks(3, "c", START);
            assert!(limited(&worker.get(4, "d", START)), "one place was freed by way {which}, not two");
        } else {
            worker.parks(3, "c", later(PATIENCE_MS));
            worker.parks(4, "d", later(PATIENCE_MS));
            assert!(limited(&worker.get(5, "e", later(PATIENCE_MS))), "both had waited for too long");
        }
    }
}

#[test]
fn refused_exchanges_of_one_source_are_bounded_and_an_sts_in_trouble_is_not_its_doing() {
    let refused_with = |answer: Answer<'_>| {
        let mut worker = Worker::alone();
        (0..200_u32).find(|call| {
            worker.mend_circuit();
            let verdict = worker.get(*call, &format!("t-{call}"), START);
            if limited(&verdict) {
                return true;
            }
            let ask = worker.ask(START);
            worker.answer(ask.id, answer, START).unwrap();
            false
        })
    };
    assert_eq!(refused_with(DENIED), Some(100));
    assert_eq!(refused_with(NO_ANSWER), None);
    assert_eq!(refused_with(OVERLOADED), None);
    let by_provider = br#"{"error":"invalid_target","reason":"provider_refused"}"#;
    assert_eq!(
        refused_with(Answer { body: by_provider, ..DENIED }),
        None,
        "the other providers' routes are to stay open"
    );
}
