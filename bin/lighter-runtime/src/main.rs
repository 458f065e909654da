//! The OCI command line: a door to the runtime which Lighter's shim has built in.

fn main() -> std::process::ExitCode {
    if let Err(error) = runtime::protect_own_program() {
        eprintln!("{error}");
        return std::process::ExitCode::FAILURE;
    }
    std::process::ExitCode::from(runtime::cli::main(std::env::args().skip(1)))
}
