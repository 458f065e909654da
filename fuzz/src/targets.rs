//! What is fed to each parser of untrusted input, and what must hold besides that it neither panics nor hangs.

mod archives;
mod documents;
mod indexes;
mod texts;
#[cfg(feature = "daemon")]
mod wire;

pub const ALL: &[(&str, fn(&[u8]))] = &[
    ("tar", archives::tar),
    ("unpack", archives::unpack),
    ("erofs_tar", indexes::tar),
    ("erofs_read", indexes::read),
    ("load", archives::load),
    ("import", archives::import),
    ("documents", documents::image),
    ("frame", documents::frame),
    #[cfg(feature = "daemon")]
    ("create", documents::create),
    ("query", documents::query),
    #[cfg(feature = "daemon")]
    ("seccomp", documents::seccomp),
    #[cfg(feature = "daemon")]
    ("config", documents::config),
    ("reference", texts::reference),
    ("values", texts::values),
    ("users", texts::users),
    ("template", texts::template),
    ("log", texts::log),
    ("challenge", texts::challenge),
    #[cfg(feature = "daemon")]
    ("dns", wire::dns),
    #[cfg(feature = "daemon")]
    ("websocket", wire::websocket),
    #[cfg(feature = "daemon")]
    ("cdi", documents::cdi),
];

/// A directory in memory for this process.
fn scratch() -> &'static std::path::Path {
    static PATH: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    PATH.get_or_init(|| {
        let path = std::path::PathBuf::from(format!("/dev/shm/lighter-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory below /dev/shm");
        path
    })
}
