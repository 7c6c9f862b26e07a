//! What a process has used, read from outside it.

use std::{fs, time::Duration};

use harness::Result;

/// The scheduler's account of a process, all threads together.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// CPU time, user and system.
    pub used: Duration,
    /// Time for which a thread could have run and had no core.
    pub waited: Duration,
}

impl Account {
    /// Until now. Where the kernel keeps no account in nanoseconds, the clock ticks of `stat` have to do.
    pub fn of(pid: u32) -> Result<Self> {
        let (mut used, mut waited) = (0, 0);
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
                return Ok(Self { used: ticks(pid)?, waited: Duration::ZERO });
            };
            let mut fields = text.split_whitespace().map(str::parse::<u64>);
            used += fields.next().ok_or("an empty schedstat")??;
            waited += fields.next().ok_or("a short schedstat")??;
        }
        Ok(Self { used: Duration::from_nanos(used), waited: Duration::from_nanos(waited) })
    }

    /// What came after `earlier`. A thread that ended meanwhile takes its part of the account with it.
    pub fn since(self, earlier: Self) -> Self {
        Self { used: self.used.saturating_sub(earlier.used), waited: self.waited.saturating_sub(earlier.waited) }
    }
}

/// Memory of a process that is in RAM, in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel tells no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The cores that this process may use.
#[allow(unsafe_code, reason = "affinity has no safe interface in the standard library")]
pub fn cores() -> Result<Vec<usize>> {
    // SAFETY: a zeroed set is an empty set, the call writes no more than its size, and `CPU_ISSET` checks its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Err(format!("cannot tell the cores: {}", std::io::Error::last_os_error()).into());
        }
        Ok((0..libc::CPU_SETSIZE as usize).filter(|core| libc::CPU_ISSET(*core, &set)).collect())
    }
}

/// Keeps all threads of a process on these cores.
#[allow(unsafe_code, reason = "affinity has no safe interface in the standard library")]
pub fn keep(pid: u32, cores: &[usize]) -> Result<()> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread: libc::pid_t = thread?.file_name().to_string_lossy().parse()?;
        // SAFETY: a zeroed set is an empty set, `CPU_SET` checks its bounds, and the call reads the set only.
        let result = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
            libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &set)
        };
        if result != 0 {
            return Err(format!("cannot keep process {pid} on {cores:?}: {}", std::io::Error::last_os_error()).into());
        }
    }
    Ok(())
}

fn ticks(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in brackets, may hold spaces; user and system time are the 12th and 13th field behind it.
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u64 = fields.iter().skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or_default()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
