//! The process forbids itself to start programs.
//!
//! An attacker who runs code in the process usually wants to start a shell next. A seccomp filter on all threads, which
//! cannot be removed, lets `execve` and `execveat` fail. All calls by another ABI of the processor, which numbers
//! system calls differently, fail.

use std::io;

/// From now on every attempt of this process to start a program fails with EPERM, in all of its threads and children.
/// The kernel remembers which system calls pass, so other calls cost next to nothing more.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] if there is no filter for this system or processor; otherwise the kernel's error. The
/// process then goes on as before.
pub fn forbid_exec() -> io::Result<()> {
    imp::forbid_exec()
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod imp {
    use std::io;

    use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

    /// AUDIT_ARCH of linux/audit.h.
    const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    /// Numbers from here on are those of x32, which has the same architecture.
    const X32: u32 = 0x4000_0000;
    /// The offsets in `seccomp_data`.
    const NUMBER: u32 = 0;
    const ARCHITECTURE_AT: u32 = 4;
    /// The answers.
    const ALLOW: u32 = 0x7fff_0000;
    const FAIL: u32 = 0x0005_0000 | libc::EPERM as u32;
    /// From linux/seccomp.h: for all threads at once, and without a mitigation that slows the processor down.
    const ALL_THREADS: libc::c_ulong = 1;
    const SPEC_ALLOW: libc::c_ulong = 1 << 2;
    const SET_MODE_FILTER: libc::c_ulong = 1;

    /// The number of a system call, in the type that filters compare.
    const fn number(call: libc::c_long) -> u32 {
        (call.cast_unsigned() & 0xffff_ffff) as u32
    }

    const fn step(code: u32, k: u32) -> libc::sock_filter {
        jump(code, k, 0, 0)
    }

    /// `jt` and `jf` are the numbers of steps to skip if the comparison holds, and if it does not.
    const fn jump(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
        libc::sock_filter { code: (code & 0xffff) as u16, jt, jf, k }
    }

    const STEPS: u16 = 8;
    static FILTER: [libc::sock_filter; STEPS as usize] = [
        step(BPF_LD | BPF_W | BPF_ABS, ARCHITECTURE_AT),
        jump(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 5),
        step(BPF_LD | BPF_W | BPF_ABS, NUMBER),
        jump(BPF_JMP | BPF_JGE | BPF_K, X32, 3, 0),
        jump(BPF_JMP | BPF_JEQ | BPF_K, number(libc::SYS_execve), 2, 0),
        jump(BPF_JMP | BPF_JEQ | BPF_K, number(libc::SYS_execveat), 1, 0),
        step(BPF_RET | BPF_K, ALLOW),
        step(BPF_RET | BPF_K, FAIL),
    ];

    #[expect(unsafe_code, reason = "no safe wrapper sets a filter")]
    pub(super) fn forbid_exec() -> io::Result<()> {
        // Without it the kernel takes no filter from a process that is not root.
        rustix::thread::set_no_new_privs(true)?;
        let program = libc::sock_fprog { len: STEPS, filter: FILTER.as_ptr().cast_mut() };
        // SAFETY: the kernel copies the program, which has as many steps as it says, and writes nothing.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                SET_MODE_FILTER,
                ALL_THREADS | SPEC_ALLOW,
                &raw const program,
            )
        };
        match result {
            0 => Ok(()),
            -1 => Err(io::Error::last_os_error()),
            thread => Err(io::Error::other(format!("thread {thread} has a filter of its own"))),
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod imp {
    pub(super) fn forbid_exec() -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::process::Command;
    use std::sync::mpsc::channel;

    use super::*;

    const CONFINED: &str = "METALBOND_TEST_CONFINED";

    /// Whether this process can start a program.
    fn can_start() -> bool {
        match Command::new("/bin/true").status() {
            Ok(status) => status.success(),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EPERM));
                false
            }
        }
    }

    /// Runs in a process of its own, because nothing takes the filter off again.
    #[test]
    fn no_thread_can_start_a_program() {
        if std::env::var_os(CONFINED).is_none() {
            let test = "io::no_exec::tests::no_thread_can_start_a_program";
            let own = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test])
                .env(CONFINED, "1")
                .status();
            assert!(own.unwrap().success());
            return;
        }
        let (go, wait) = channel::<()>();
        let earlier = std::thread::spawn(move || {
            wait.recv().unwrap();
            can_start()
        });
        assert!(can_start());
        forbid_exec().unwrap();
        go.send(()).unwrap();
        assert!(!earlier.join().unwrap() && !can_start());
        assert!(!std::thread::spawn(can_start).join().unwrap());
        // A second time changes nothing.
        forbid_exec().unwrap();
    }
}
