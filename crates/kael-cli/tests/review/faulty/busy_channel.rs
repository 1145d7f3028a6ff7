use std::sync::mpsc::Receiver;

fn drain(receiver: &Receiver<u32>) {
    loop {
        match receiver.try_recv() { //~ busy-loop
            Ok(number) => println!("{number}"),
            Err(_) => continue,
        }
    }
}
