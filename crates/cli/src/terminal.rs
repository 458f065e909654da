//! The user's terminal: its size, and raw mode that always ends.

use std::io::{Read, Write};
use std::sync::Mutex;

use rustix::stdio::{stdin, stdout};
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// How stdin's terminal was before we made it raw; `Some` while it is raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Whether stdin is a terminal.
pub fn stdin_is_terminal() -> bool {
    isatty(stdin())
}

/// Whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    isatty(stdout())
}

/// Height and width of stdout's terminal; zeros when it is none.
pub fn size() -> (u16, u16) {
    tcgetwinsize(stdout()).map_or((0, 0), |size| (size.ws_row, size.ws_col))
}

/// Raw mode of stdin's terminal, until dropped. A panic and [`restore`] end it as well.
#[derive(Debug)]
pub struct Raw(());

impl Raw {
    /// Makes stdin's terminal raw; `None` if stdin is no terminal.
    pub fn enter() -> Option<Raw> {
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        // from here on every way out passes `restore`
        *lock() = Some(before);
        restore_on_panic();
        if tcsetattr(stdin(), OptionalActions::Now, &raw).is_err() {
            restore();
            return None;
        }
        Some(Raw(()))
    }
}

/// A terminal that does not show what is typed, until dropped.
#[derive(Debug)]
pub struct Silent(());

impl Silent {
    /// `None` if stdin is no terminal.
    pub fn enter() -> Option<Silent> {
        let before = tcgetattr(stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        *lock() = Some(before);
        restore_on_panic();
        if tcsetattr(stdin(), OptionalActions::Now, &silent).is_err() {
            restore();
            return None;
        }
        Some(Silent(()))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        restore();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Gives the terminal back as it was, if we changed it. Any thread may call this, any number of times.
pub fn restore() {
    if let Some(before) = lock().take() {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}

/// With `panic = "abort"` no destructor runs; the hook does.
fn restore_on_panic() {
    let message = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        message(info);
    }));
}

/// Ends the program with `status`, terminal restored. For threads other than the main one.
pub fn exit(status: i32) -> ! {
    restore();
    let _ = std::io::stdout().flush();
    std::process::exit(status)
}

/// Stdin read without the standard library's buffer: what is typed is passed on at once.
#[derive(Debug)]
pub struct Stdin;

impl Read for Stdin {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        Ok(rustix::io::read(stdin(), into)?)
    }
}
