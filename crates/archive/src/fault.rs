use rustix::io::Errno;
use values::Error;

/// Either the kernel's refusal or ours.
pub enum Fault {
    Kernel(Errno),
    Said(Error),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Kernel(errno)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Said(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Said(error.into())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Kernel(errno) => std::io::Error::from(errno).into(),
            Fault::Said(error) => error,
        }
    }
}
