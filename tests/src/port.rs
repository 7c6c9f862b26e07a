//! Ports for servers that must keep theirs over a restart.
//!
//! They lie below the range the kernel hands out, so that no other socket takes one while its server is down, and a locked
//! file per port keeps processes of ours apart. Servers that never restart bind port 0 instead.

use std::{
    fs::{File, TryLockError},
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

use crate::{Result, workspace};

/// A port of 127.0.0.1, ours until dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free port.
    pub fn reserve() -> Result<Self> {
        let folder = workspace::target()?.join("ports");
        std::fs::create_dir_all(&folder)?;
        let size = RANGE.end - RANGE.start;
        let start = u16::try_from(RandomState::new().hash_one(0) % u64::from(size))?;
        for step in 0..size {
            let number = RANGE.start + (start + step) % size;
            let lock = File::create(folder.join(number.to_string()))?;
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Ok(()) if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() => {
                    return Ok(Self { number, _lock: lock });
                }
                Ok(()) => {}
            }
        }
        Err(format!("no free port between {} and {}", RANGE.start, RANGE.end).into())
    }

    /// Takes this one. `flag` is how whoever chose it can choose another.
    pub fn named(number: u16, flag: &str) -> Result<Self> {
        let folder = workspace::target()?.join("ports");
        std::fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(number.to_string()))?;
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            return Ok(Self { number, _lock: lock });
        }
        Err(format!("port {number} is taken by another process: name another with `{flag}`, or leave the flag out to take a free one").into())
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

const RANGE: Range<u16> = 15_000..32_000;
