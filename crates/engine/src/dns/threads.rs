use std::sync::{Mutex, PoisonError};

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::runtime::{Builder, Handle, Runtime};
use values::{Result, ResultExt};

/// Of the processors one in so many, and at most so many of them.
const SHARE: usize = 4;
const MOST: usize = 4;
/// They are never busy for long, and everybody waits for them: above what containers and the daemon do otherwise.
const NICE: i32 = -10;
const STACK: usize = 256 * 1024;

/// The threads on which containers' questions for names are answered. Theirs alone: whatever the daemon is busy with, an
/// answer does not wait for it. They are there from the first container on that asks.
#[derive(Default)]
pub struct Threads(Mutex<Option<Runtime>>);

impl Threads {
    /// What is spawned by it runs there.
    pub fn handle(&self) -> Result<Handle> {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let made = start()?;
        let handle = made.handle().clone();
        *runtime = Some(made);
        Ok(handle)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // it must not be waited for: this may be one of its threads
        if let Some(runtime) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }
}

fn start() -> Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((processors / SHARE).clamp(1, MOST))
        .thread_name("dns")
        .thread_stack_size(STACK)
        .on_thread_start(|| {
            // who may not raise it goes on as all others
            let _ = setpriority_process(Some(gettid()), NICE);
        })
        .enable_all()
        .build()
        .during(|| "start threads for DNS")
}
