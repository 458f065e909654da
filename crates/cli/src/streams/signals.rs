//! Signals while we stand in for a process elsewhere: passed on to it, or at least not leaving a raw terminal.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::getpid;
use sys::signal::{self, Set};
use values::Signal;

use crate::terminal;

/// So many requests to end are taken seriously even when nobody passes them on.
const FORCE_AFTER: u32 = 3;

/// What is done with a signal of the user's.
pub type Send = Box<dyn Fn(Signal) + std::marker::Send>;
/// What is done when the terminal's size changed.
pub type Resize = Box<dyn Fn() + std::marker::Send>;

/// A thread that takes this process' signals. They are blocked for all other threads from the moment it is made,
/// so make it before other threads.
#[derive(Debug)]
pub struct Watch {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody is there yet to pass signals to: they are kept.
    early: Option<Vec<Signal>>,
}

/// What to watch for.
pub struct Plan {
    /// Passes signals on; `None`: they act on us as ever, after the terminal is restored.
    pub proxy: Option<Send>,
    /// Called for SIGWINCH; `None` when there is no size to pass on.
    pub resize: Option<Resize>,
    /// There is nobody to pass to until [`Watch::ready`].
    pub hold: bool,
}

impl Watch {
    /// Blocks the signals and starts the thread.
    pub fn start(plan: Plan) -> Watch {
        let state = Arc::new(Mutex::new(State { early: plan.hold.then(Vec::new) }));
        let set = watched(&plan);
        let watch = Watch { state: Arc::clone(&state) };
        if signal::set_mask(set).is_ok() {
            std::thread::spawn(move || run(set, &plan, &state));
        }
        watch
    }

    /// Now there is somebody: gives what came too early, to be passed on by the caller.
    pub fn ready(&self) -> Vec<Signal> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).early.take().unwrap_or_default()
    }
}

const WINCH: i32 = 28;

/// Everything that can be caught and is not about us alone; without a proxy, what would end us.
fn watched(plan: &Plan) -> Set {
    const FATAL: &[i32] = &[1, 2, 3, 14, 15];
    // faults, KILL, CHLD, STOP, and SIGPIPE and SIGURG which are about our own descriptors
    const OURS: &[i32] = &[4, 5, 6, 7, 8, 9, 11, 13, 17, 19, 23, 31];
    let set = if plan.proxy.is_some() {
        let proxied = (1..=31).chain(34..=64).filter(|number| !OURS.contains(number));
        proxied.fold(Set::EMPTY, Set::with)
    } else {
        FATAL.iter().fold(Set::EMPTY, |set, number| set.with(*number))
    };
    if plan.resize.is_some() { set.with(WINCH) } else { set }
}

fn run(set: Set, plan: &Plan, state: &Mutex<State>) {
    let mut ends = 0;
    while let Ok(number) = signal::wait(set) {
        if number == WINCH
            && let Some(resize) = &plan.resize
        {
            resize();
            continue;
        }
        let Some(proxy) = &plan.proxy else { die_of(number) };
        ends += u32::from(number == Signal::INT.number() || number == Signal::TERM.number());
        if ends >= FORCE_AFTER {
            terminal::restore();
            eprintln!("\ngot {FORCE_AFTER} SIGTERM/SIGINTs, forcefully exiting");
            terminal::exit(1);
        }
        let Some(signal) = Signal::from_number(number) else { continue };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.early {
            Some(early) => early.push(signal),
            None => {
                drop(state);
                proxy(signal);
            }
        }
    }
}

/// Ends as the signal would have ended us, with the terminal restored first.
fn die_of(number: i32) -> ! {
    terminal::restore();
    // unblocked in this thread alone it is delivered here, by its default action
    let _ = signal::set_mask(Set::EMPTY);
    let _ = signal::kill(getpid().as_raw_nonzero().get(), number);
    std::process::exit(128 + number)
}
