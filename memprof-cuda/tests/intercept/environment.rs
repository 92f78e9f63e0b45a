//! `MEMPROF=1 MEMPROF_CUDA=intercept`: interception without a line of code for it, for the life of the process.

use std::process::{Command, Output};

use cudarc::driver::CudaContext;
use memprof_core::{Scope, Site, Space};
use memprof_cuda::resource::{CudaMemory, Tracked};

use crate::ground::{self, Subscribed, Tried, alone, live};

const INSIDE: &str = "INSIDE_THE_ENVIRONMENT_TEST";

fn inside(test: &str) -> Tried<Output> {
    let mut run = Command::new(std::env::current_exe()?);
    run.args(["--exact", &format!("environment::{test}"), "--nocapture"]).env(INSIDE, "1");
    Ok(run.env("MEMPROF", "1").env("MEMPROF_CUDA", "intercept").output()?)
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

#[test]
fn it_begins_with_the_first_context_and_no_guard_ends_it() -> Tried {
    if !is_inside() {
        let output = inside("it_begins_with_the_first_context_and_no_guard_ends_it")?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return Ok(());
    }
    let (_alone, _sim) = alone()?;
    let context = memprof_cuda::context(0)?;
    let first = ground::allocate(100)?;
    assert_eq!(live(Space::device(0)), (100, 1));
    drop(memprof_cuda::intercept()?);
    ground::free(first)?;
    assert_eq!(live(Space::device(0)), (0, 0));
    drop(context);
    Ok(())
}

#[test]
fn it_begins_with_the_first_resource_that_is_tracked_on_a_context_of_others() -> Tried {
    if !is_inside() {
        let output = inside("it_begins_with_the_first_resource_that_is_tracked_on_a_context_of_others")?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return Ok(());
    }
    let (_alone, _sim) = alone()?;
    let context = CudaContext::new(0)?;
    let unseen = ground::allocate(100)?;
    let resource = Tracked::in_space(CudaMemory, Space::named("weights"));
    let seen = ground::allocate(200)?;
    assert_eq!(live(Space::device(0)), (200, 1), "also what goes past the resource");
    ground::free(seen)?;
    ground::free(unseen)?;
    drop(resource);
    drop(context);
    Ok(())
}

#[test]
fn what_prevents_it_is_said_in_one_line_and_the_program_runs_on() -> Tried {
    if !is_inside() {
        let output = inside("what_prevents_it_is_said_in_one_line_and_the_program_runs_on")?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let begin = "memprof: MEMPROF_CUDA=intercept: cannot intercept CUDA allocations: another tool is subscribed";
        assert_eq!(said.matches(begin).count(), 1, "{said}");
        return Ok(());
    }
    let (_alone, sim) = alone()?;
    let _other = Subscribed::to(sim)?;
    let _context = memprof_cuda::context(0)?;
    ground::free(ground::allocate(100)?)?;
    drop(memprof_cuda::context(1)?);
    Ok(())
}

#[test]
fn a_device_whose_context_is_gone_before_the_first_snapshot_is_said_to_be_unknown() -> Tried {
    if !is_inside() {
        let output = inside("a_device_whose_context_is_gone_before_the_first_snapshot_is_said_to_be_unknown")?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let line = "\ncuda:1: attributed 0; what the device uses is not known: ";
        assert!(said.contains(line) && !said.contains("cuda:0: attributed"), "{said}");
        return Ok(());
    }
    let (_alone, _sim) = alone()?;
    let _guard = memprof_cuda::intercept()?;
    let _scope = Scope::enter(Site::named("others' code"));
    let context = CudaContext::new(1)?;
    drop(context.default_stream().alloc_zeros::<u8>(10)?);
    drop(context);
    assert_eq!(memprof_core::snapshot().devices().len(), 1);
    Ok(())
}
