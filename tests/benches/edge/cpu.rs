//! What a process has used, read from outside it.

use std::{fs, time::Duration};

use harness::Result;

/// CPU time of a process, all threads, user and system together.
///
/// The scheduler's own account has nanoseconds. Where the kernel keeps none, the clock ticks of `stat` have to do.
pub fn used(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?,
            Err(_) => return ticks(pid),
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
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
