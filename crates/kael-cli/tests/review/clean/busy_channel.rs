use std::sync::mpsc::{Receiver, TryRecvError};

fn drain(receiver: &Receiver<u32>) {
    loop {
        match receiver.try_recv() {
            Ok(number) => println!("{number}"),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return,
        }
    }
    while let Ok(number) = receiver.recv() {
        println!("{number}");
    }
}

fn until_full(receiver: &Receiver<u32>, mut room: usize) {
    loop {
        match receiver.try_recv() {
            Ok(number) => println!("{number}"),
            Err(_) => {}
        }
        room -= 1;
        if room == 0 {
            break;
        }
    }
}
