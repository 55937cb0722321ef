//! The state behind N instructions is the same however it is reached.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;

use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{
    Creation, FileError, FileInfo, FileMode, FilePath, Files, MachineConfig, Moment, OpenFile,
    PokeError, RecordOptions, Recording, Stop, Stops,
};

use crate::common::{Seen, load, programs, record};

/// Snapshots so near to each other that short programs have some.
const DENSE: RecordOptions = RecordOptions {
    memory_bytes: 64 << 20,
    spacing: 1,
};

#[test]
fn every_program_comes_back_to_what_a_fresh_run_shows() {
    let mut checked = 0;
    let mut sources: Vec<_> = fs::read_dir(programs())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "asm"))
        .collect();
    sources.sort();
    for path in sources {
        let source = fs::read(&path).unwrap();
        let config = MachineConfig::default();
        let (machine, printed) = load(&source, &config);
        let start = machine.instructions();
        let mut recording = Recording::new(machine, DENSE).unwrap();
        recording.run(&Stops::NONE, 3_000_000);
        let output = printed.borrow().clone();
        let last = recording.here().instructions;

        for part in [7, 1, 5, 2, 6] {
            let target = start + (last - start) * part / 8;
            recording.go_to(Moment::behind(target)).unwrap();

            let (mut fresh, _) = load(&source, &config);
            fresh.run(target - start);
            let expected = Seen::of(&fresh);
            assert_eq!(Seen::of(recording.machine()), expected, "{path:?} {target}");
            checked += 1;
        }
        recording.run(&Stops::NONE, last);
        assert_eq!(
            *printed.borrow(),
            output,
            "{path:?} printed something again"
        );
    }
    assert!(checked > 300, "only {checked}");
}

#[test]
fn programs_under_pressure_come_back_with_their_paging_file() {
    let config = MachineConfig {
        ram_bytes: 1 << 20,
        ..MachineConfig::default()
    };
    let (machine, _) = load(SWEEP, &config);
    let mut recording = Recording::new(machine, DENSE).unwrap();
    recording.run(&Stops::NONE, 200_000);
    assert!(recording.machine().vmm().counters().pages_in > 100);

    for target in [199_000, 150_001, 77_777, 20_000] {
        recording.go_to(Moment::behind(target)).unwrap();

        let (mut fresh, _) = load(SWEEP, &config);
        fresh.run(target);
        assert_eq!(Seen::of(recording.machine()), Seen::of(&fresh), "{target}");
    }
}

#[test]
fn steps_back_undo_steps_one_by_one() {
    let source = fs::read(programs().join("seh_fix_readonly.asm")).unwrap();
    let mut recording = record(&source, DENSE);
    let mut seen = Vec::new();
    while recording.ended().is_none() && seen.len() < 400 {
        seen.push((recording.here(), Seen::of(recording.machine())));
        recording.step();
    }
    assert!(seen.len() > 100);

    while let Some((moment, expected)) = seen.pop() {
        assert!(
            matches!(recording.step_back().unwrap(), Stop::Stepped),
            "{moment:?}"
        );
        assert_eq!(recording.here(), moment);
        assert_eq!(Seen::of(recording.machine()), expected, "{moment:?}");
    }
    assert!(matches!(recording.step_back().unwrap(), Stop::Beginning));
}

#[test]
fn input_is_read_once_and_repeated() {
    let (machine, printed) = load(ECHO, &MachineConfig::default());
    let mut recording = Recording::new(machine, DENSE).unwrap();
    let start = recording.here();

    let stop = recording.run(&Stops::NONE, 1_000_000);
    assert!(matches!(stop, Stop::Ended(_)), "{stop:?}");
    let end = Seen::of(recording.machine());
    recording.go_to(start).unwrap();
    recording.run(&Stops::NONE, 1_000_000);

    assert_eq!(printed.borrow().as_slice(), b"12\r\n34\r\nabc\r\n");
    assert_eq!(Seen::of(recording.machine()), end);
}

#[test]
fn memory_is_bounded_and_the_way_back_stays_short_near_the_end() {
    let options = RecordOptions {
        memory_bytes: 4 << 20,
        spacing: 1_000,
    };
    let mut recording = record(SWEEP, options);
    recording.run(&Stops::NONE, 5_000_000);

    let (count, bytes) = recording.cost();
    assert!(bytes <= 4 << 20, "{bytes} bytes in {count} snapshots");
    assert!(count >= 2);
    let here = recording.here();
    recording.step_back().unwrap();
    assert!(recording.here() < here);
    assert!(recording.beginning() < here);
}

#[test]
fn going_back_before_a_change_from_outside_undoes_it() {
    let mut recording = record(COUNT, DENSE);
    let counter = LinearAddr::new(recording.machine().debug().address("counter").unwrap());
    let read = |recording: &mut Recording| {
        let mut bytes = [0; 4];
        recording.peek(counter, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    };
    recording.run(&Stops::NONE, 100);
    let edited = recording.here();
    let before = read(&mut recording);

    recording.poke(counter, &1000_u32.to_le_bytes()).unwrap();
    recording.run(&Stops::NONE, 100);
    let after = read(&mut recording);
    assert!(after > 1000);
    let later = recording.here();
    recording.go_to(edited).unwrap();
    assert_eq!(read(&mut recording), 1000);
    recording.go_to(later).unwrap();
    assert_eq!(read(&mut recording), after);

    recording.step_back().unwrap();
    recording
        .go_to(Moment::behind(edited.instructions - 10))
        .unwrap();
    recording.go_to(edited).unwrap();
    assert_eq!(read(&mut recording), before);
}

#[test]
fn a_change_from_outside_is_made_whole_or_not_at_all() {
    let (machine, printed) = load(CHOICE, &MachineConfig::default());
    let mut recording = Recording::new(machine, DENSE).unwrap();
    let stops = Stops {
        breakpoints: [recording.machine().debug().address("ready").unwrap()].into(),
        ..Stops::NONE
    };
    let stop = recording.run(&stops, 1_000);
    assert!(matches!(stop, Stop::Breakpoint), "{stop:?}");
    let start = recording.here();
    let last = LinearAddr::new(0x2000_0FFF);

    let poked = recording.poke(last, &[1, 1]);

    assert_eq!(poked, Err(PokeError::NotMapped(last.wrapping_add(1))));
    let mut byte = [7];
    recording.peek(last, &mut byte).unwrap();
    assert_eq!(byte, [0]);
    recording.run(&Stops::NONE, 1_000);
    recording.go_to(start).unwrap();
    let stop = recording.run(&Stops::NONE, 1_000);
    assert!(matches!(stop, Stop::Ended(_)), "{stop:?}");
    assert_eq!(printed.borrow().as_slice(), b"12");

    recording.go_to(start).unwrap();
    recording.poke(last, &[1]).unwrap();
    recording.run(&Stops::NONE, 1_000);
    assert_eq!(printed.borrow().as_slice(), b"12\0\0");
}

#[test]
fn files_that_a_program_has_closed_are_closed_on_the_host() {
    const LIMIT: usize = 3;
    let (mut machine, printed) = load(OPENS, &MachineConfig::default());
    let files = Counted::default();
    let open = Rc::clone(&files.open);
    machine.set_files(Box::new(files));
    let options = RecordOptions {
        memory_bytes: 64 << 20,
        spacing: 1_000_000,
    };
    let mut recording = Recording::new(machine, options).unwrap();
    let start = recording.here();

    recording.run(&Stops::NONE, 3_000);
    let middle = recording.here();
    let counter = LinearAddr::new(recording.machine().debug().address("counter").unwrap());
    let mut count = [0];
    recording.peek(counter, &mut count).unwrap();
    assert!(count[0] > 50, "{count:?}");
    assert!(open.get() <= LIMIT, "{} files are open", open.get());

    // There and back, and on from the middle of what was only repeated.
    recording.go_to(start).unwrap();
    recording.go_to(middle).unwrap();
    recording.poke(counter, &[250]).unwrap();
    let stop = recording.run(&Stops::NONE, 3_000);
    assert!(matches!(stop, Stop::Ended(_)), "{stop:?}");
    assert_eq!(
        printed.borrow().as_slice(),
        [b'.'].repeat(usize::from(count[0]) + 6)
    );
    drop(recording);
    assert_eq!(open.get(), 0);
}

/// Files of three bytes under any name, which cannot be written and are counted while they are
/// open.
#[derive(Debug, Default)]
struct Counted {
    open: Rc<Cell<usize>>,
}

#[derive(Debug)]
struct CountedFile(Rc<Cell<usize>>);

impl Drop for CountedFile {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl OpenFile for CountedFile {
    fn read(&mut self, _offset: u64, bytes: &mut [u8]) -> Result<usize, FileError> {
        bytes.fill(b'.');
        Ok(bytes.len())
    }

    fn write(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn size(&mut self) -> Result<u64, FileError> {
        Ok(3)
    }

    fn set_size(&mut self, _size_bytes: u64) -> Result<(), FileError> {
        Err(FileError::Denied)
    }
}

impl Files for Counted {
    fn open(
        &mut self,
        _path: &FilePath,
        mode: FileMode,
        _creation: Creation,
    ) -> Result<Box<dyn OpenFile>, FileError> {
        if mode == FileMode::ReadWrite {
            return Err(FileError::Denied);
        }
        self.open.set(self.open.get() + 1);
        Ok(Box::new(CountedFile(Rc::clone(&self.open))))
    }

    fn info(&mut self, _path: &FilePath) -> Result<FileInfo, FileError> {
        Ok(FileInfo {
            name: "a".to_owned(),
            size_bytes: 3,
            is_folder: false,
            is_read_only: true,
        })
    }

    fn list(&mut self, _folder: &FilePath) -> Result<Vec<FileInfo>, FileError> {
        Err(FileError::NoFolder)
    }

    fn create_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn remove_folder(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn remove(&mut self, _path: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }

    fn rename(&mut self, _from: &FilePath, _to: &FilePath) -> Result<(), FileError> {
        Err(FileError::Denied)
    }
}

/// Reads two bytes and writes them, or only writes, as the last byte of a page says.
const CHOICE: &[u8] = b"
    .386
    .model flat, stdcall
ReadFile proto :dword, :dword, :dword, :dword, :dword
WriteFile proto :dword, :dword, :dword, :dword, :dword
VirtualAlloc proto :dword, :dword, :dword, :dword
ExitProcess proto :dword
    .data
done dd 0
buffer dw 0
    .code
start:
    invoke VirtualAlloc, 20000000h, 1000h, 3000h, 4
    mov ebx, eax
ready:
    .if byte ptr [ebx+0FFFh] == 0
        invoke ReadFile, 3, addr buffer, 2, addr done, 0
    .endif
    invoke WriteFile, 7, addr buffer, 2, addr done, 0
    invoke ExitProcess, 0
    end start
";

/// Opens a file with `OPEN_ALWAYS`, prints its first byte and closes it, again and again.
const OPENS: &[u8] = b"
    .386
    .model flat, stdcall
CreateFileA proto :dword, :dword, :dword, :dword, :dword, :dword, :dword
ReadFile proto :dword, :dword, :dword, :dword, :dword
WriteFile proto :dword, :dword, :dword, :dword, :dword
CloseHandle proto :dword
ExitProcess proto :dword
    .data
name_ db 'a', 0
buffer db 0
counter db 0
    align 4
done dd 0
    .code
start:
    invoke CreateFileA, addr name_, 80000000h, 0, 0, 4, 0, 0
    mov esi, eax
    invoke ReadFile, esi, addr buffer, 1, addr done, 0
    invoke WriteFile, 7, addr buffer, 1, addr done, 0
    inc counter
    .if counter == 0
        invoke ExitProcess, 0
    .endif
    invoke CloseHandle, esi
    jmp start
    end start
";

/// Counts in memory for ever.
pub(crate) const COUNT: &[u8] = b"
    .386
    .model flat, stdcall
    .data
counter dd 0
    .code
start:
    inc counter
    add ecx, 2
    jmp start
    end start
";

/// Writes to every page of two megabytes, again and again.
const SWEEP: &[u8] = b"
    .386
    .model flat, stdcall
VirtualAlloc proto :dword, :dword, :dword, :dword
    .code
start:
    invoke VirtualAlloc, 0, 200000h, 3000h, 4
    mov ebx, eax
round:
    xor ecx, ecx
again:
    add dword ptr [ebx+ecx], ecx
    inc byte ptr [ebx+ecx+7]
    add ecx, 4096
    cmp ecx, 200000h
    jb again
    jmp round
    end start
";

/// Copies its input to its output.
const ECHO: &[u8] = b"
    .386
    .model flat, stdcall
GetStdHandle proto :dword
ReadFile proto :dword, :dword, :dword, :dword, :dword
WriteFile proto :dword, :dword, :dword, :dword, :dword
ExitProcess proto :dword
    .data
buffer db 5 dup (0)
done dd 0
    .code
start:
    invoke GetStdHandle, -10
    mov esi, eax
    invoke GetStdHandle, -11
    mov edi, eax
next:
    invoke ReadFile, esi, addr buffer, 5, addr done, 0
    .if done != 0
        invoke WriteFile, edi, addr buffer, done, addr done, 0
        jmp next
    .endif
    invoke ExitProcess, 0
    end start
";
