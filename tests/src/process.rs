//! Child processes that never outlive us and whose output is kept in a file.

use std::{
    fs::OpenOptions,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::Result;

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    child: Mutex<Child>,
}

/// A signal to a child.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// Ask it to end.
    Terminate,
    /// What Ctrl-C sends.
    Interrupt,
    /// End it without a chance to say anything.
    Kill,
    /// Freeze it: its sockets stay open and nobody answers.
    Pause,
    /// Thaw it.
    Continue,
}

impl Process {
    /// Starts `command`; what it prints is appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = spawn(command).map_err(|error| format!("cannot start {name} ({program}): {error}"))?;
        Ok(Self { name: name.into(), pid: child.id(), log: log.into(), child: Mutex::new(child) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten()
    }

    /// Fails, with what it printed last, if it has ended.
    pub fn expect_running(&self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(format!("{} ended with {status}:\n{}", self.name, tail(&self.log(), 20)).into()),
        }
    }

    /// Its memory that is in RAM, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel tells no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Sends a signal. A child that has ended is left alone: its id may be somebody else's by now.
    #[allow(unsafe_code, reason = "signals have no safe interface in the standard library")]
    pub fn signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        let number = match signal {
            Signal::Terminate => libc::SIGTERM,
            Signal::Interrupt => libc::SIGINT,
            Signal::Kill => libc::SIGKILL,
            Signal::Pause => libc::SIGSTOP,
            Signal::Continue => libc::SIGCONT,
        };
        // SAFETY: `kill` reads two integers; the child is not reaped yet, so the id is its own.
        _ = unsafe { libc::kill(self.pid.cast_signed(), number) };
    }

    /// Ends it: first asked, then, after `patience`, forced. Returns whether asking was enough.
    pub fn stop(&self, patience: Duration) -> bool {
        self.signal(Signal::Continue);
        self.signal(Signal::Terminate);
        let deadline = Instant::now() + patience;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                self.signal(Signal::Kill);
                _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&self) {
        self.signal(Signal::Kill);
        _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(3));
    }
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A child is told of the end of the *thread* that started it, so all are started by one that lives as long as we do.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::SyncSender<io::Result<Child>>);
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                _ = answer.send(die_with_parent(&mut command).spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, child) = mpsc::sync_channel(1);
    let gone = |_| io::Error::other("the thread that starts children is gone");
    SPAWNER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(|error| gone(error.to_string()))?;
    child.recv().map_err(|error| gone(error.to_string()))?
}

#[allow(unsafe_code, reason = "only the child itself can ask for a signal at its parent's end")]
fn die_with_parent(command: &mut Command) -> &mut Command {
    // Its own group: Ctrl-C in a terminal reaches us alone, and we end the children in order.
    command.process_group(0);
    // SAFETY: between fork and exec only an async-signal-safe system call is made.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        })
    }
}
