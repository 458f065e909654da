//! Parent of one container: see the crate `shim`.

fn main() -> std::process::ExitCode {
    shim::program::main()
}
