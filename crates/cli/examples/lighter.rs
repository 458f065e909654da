//! The client alone, for the tests of this crate.

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os())
}
