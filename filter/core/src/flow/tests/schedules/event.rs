//! What can happen, and schedules of it.

use crate::jitter::{Jitter, between};

/// An event, with what is left to chance in it: so that leaving one out changes nothing about the others.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    pub(super) chance: u64,
}

/// Something that happens. Numbers that name something are taken modulo how many of it there are.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Request {
        worker: usize,
        key: usize,
        source: usize,
        post: bool,
        /// The VM is busy elsewhere before it gets to ask.
        asks_later: bool,
    },
    /// The STS's answer arrives, to the call that comes first modulo all under way.
    Answer {
        call: usize,
        roll: u64,
    },
    Unauthorized {
        worker: usize,
        request: usize,
    },
    /// Time passes, and all workers tick but one that is stalled.
    Wait {
        ms: u64,
        stalled: Option<usize>,
    },
    /// The wall clock is set.
    SetClock {
        by_ms: i64,
    },
    Sts(Mode),
    /// A VM traps after so many host calls of what it does next, and is made anew.
    Trap {
        worker: usize,
        after: usize,
        during: Box<Event>,
    },
    /// Somebody else writes to the shared data.
    Hostile(Write),
    /// Somebody else knocks.
    Knock {
        worker: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Issues tokens, and sometimes the one it issued before.
    Up,
    Refusing,
    Overloaded,
    Garbage,
    Away,
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Random {
        slot: usize,
        bytes: Vec<u8>,
    },
    Flip {
        slot: usize,
        byte: usize,
    },
    /// What was in a slot at some time comes back, there or elsewhere.
    Replay {
        from: usize,
        to: usize,
    },
}

/// The schedule of a seed: one in four with hostile writes.
pub(super) fn schedule(seed: u64) -> Vec<Step> {
    let mut draw = Draw(Jitter::new(seed));
    let hostile = draw.one_in(4);
    let length = draw.between(10, 110);
    (0..length).map(|_| Step { event: event(&mut draw, hostile), chance: draw.0.draw() }).collect()
}

fn event(draw: &mut Draw, hostile: bool) -> Event {
    match draw.between(0, 99) {
        0..=34 => request(draw),
        35..=62 => answer(draw),
        63..=79 => Event::Wait { ms: wait(draw), stalled: draw.one_in(6).then(|| draw.number()) },
        80..=84 => Event::Unauthorized { worker: draw.number(), request: draw.number() },
        85..=88 => Event::Sts(match draw.between(0, 15) {
            0..=10 => Mode::Up,
            11..=12 => Mode::Refusing,
            13 => Mode::Overloaded,
            14 => Mode::Garbage,
            _ => Mode::Away,
        }),
        89 => Event::SetClock { by_ms: i64::try_from(draw.between(0, 20_000)).unwrap() - 10_000 },
        90..=91 => Event::Trap {
            worker: draw.number(),
            after: usize::try_from(draw.between(0, 30)).unwrap(),
            during: Box::new(match draw.between(0, 3) {
                0 => request(draw),
                1 => answer(draw),
                2 => Event::Unauthorized { worker: draw.number(), request: draw.number() },
                _ => Event::Wait { ms: 1, stalled: None },
            }),
        },
        92..=98 if hostile => Event::Hostile(match draw.between(0, 3) {
            0 => {
                let bytes = (0..draw.between(0, 60)).map(|_| draw.number().to_be_bytes()[7]).collect();
                Write::Random { slot: draw.number(), bytes }
            }
            1 => Write::Flip { slot: draw.number(), byte: draw.number() },
            _ => Write::Replay { from: draw.number(), to: draw.number() },
        }),
        99 => Event::Knock { worker: draw.number() },
        _ => request(draw),
    }
}

fn request(draw: &mut Draw) -> Event {
    Event::Request {
        worker: draw.number(),
        // Some are in use more than others.
        key: if draw.one_in(3) { draw.number() } else { draw.number() % 3 },
        source: draw.number(),
        post: draw.one_in(5),
        asks_later: draw.one_in(10),
    }
}

fn answer(draw: &mut Draw) -> Event {
    // Most answers are those to the oldest calls.
    let call = if draw.one_in(3) { draw.number() } else { 0 };
    Event::Answer { call, roll: draw.0.draw() }
}

/// Mostly a little, sometimes so much that leases and tokens end.
fn wait(draw: &mut Draw) -> u64 {
    match draw.between(0, 9) {
        0..=4 => draw.between(1, 60),
        5..=7 => draw.between(60, 400),
        8 => draw.between(400, 1_200),
        _ => draw.between(1_200, 6_000),
    }
}

struct Draw(Jitter);

impl Draw {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        between(self.0.draw(), low, high)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.between(1, chances) == 1
    }

    fn number(&mut self) -> usize {
        usize::try_from(self.between(0, 1_000_000)).unwrap()
    }
}
