//! Out of memory under interception, where nobody wraps the allocation: the report comes all the same, and asks no
//! function of the driver from within the callback.

use std::process::Command;

use memprof_core::{Scope, Site};

use crate::ground::{self, Tried, alone};

const INSIDE: &str = "INSIDE_THE_OUT_OF_MEMORY_TEST";

/// What the process under test does.
fn run_out() -> Tried {
    let (_alone, sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let context = memprof_cuda::context(0)?;
    let _scope = Scope::enter(Site::named("the owner"));
    let held = ground::allocate(1_000)?;
    let asked = sim.calls("cuMemGetInfo_v2");
    for _ in 0..3 {
        assert!(ground::allocate(1 << 50).is_err());
        // It takes no memory, so it does not show that there is some again.
        ground::close_ipc(ground::open_ipc(held)?)?;
    }
    assert_eq!(sim.calls("cuMemGetInfo_v2"), asked, "the driver was asked from within a callback");
    ground::free(held)?;
    drop(context);
    Ok(())
}

#[test]
fn the_report_comes_once_and_names_the_owner() -> Tried {
    if std::env::var_os(INSIDE).is_some() {
        return run_out();
    }
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", "out_of_memory::the_report_comes_once_and_names_the_owner", "--nocapture"]).env(INSIDE, "1");
    let output = run.output()?;
    let said = String::from_utf8(output.stderr)?;
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("memprof: ").count(), 1, "{said}");
    assert!(said.contains("1,125,899,906,842,624 bytes") && said.contains("the owner"), "{said}");
    Ok(())
}
