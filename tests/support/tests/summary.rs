//! The last test program of a run says how many tests were skipped, and with which packages they run.

fn main() {
    // nextest asks for the names of tests, and has no summary.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    print!("\n{}\n", support::summary(&support::Run::current().take_skips()));
}
