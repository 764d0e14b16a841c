/// The loop's handlers, by slot. A slot's generation changes when it is given up, so that an event
/// which the kernel reported for the slot's last owner, in the same turn, reaches nobody.
struct RegistrationTable {
    struct Slot {
        var generation: UInt32
        var interest: Interest
        var number: Int32
        var handler: (any ReadinessHandler)?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []

    /// How many are registered.
    var count: Int { slots.count - free.count }

    /// Takes a slot.
    mutating func insert(
        _ handler: any ReadinessHandler,
        number: Int32,
        interest: Interest,
    ) -> Registration {
        if let index = free.popLast() {
            slots[Int(index)].handler = handler
            slots[Int(index)].number = number
            slots[Int(index)].interest = interest
            return Registration(index: index, generation: slots[Int(index)].generation)
        }
        let index = UInt32(slots.count)
        slots.append(Slot(generation: 1, interest: interest, number: number, handler: handler))
        return Registration(index: index, generation: 1)
    }

    /// The slot, if the registration still holds it.
    subscript(_ registration: Registration) -> Slot? {
        let index = Int(registration.index)
        guard index < slots.count else { return nil }
        let slot = slots[index]
        return slot.generation == registration.generation && slot.handler != nil ? slot : nil
    }

    /// Changes what the registration, which must hold its slot, waits for.
    mutating func setInterest(_ interest: Interest, of registration: Registration) {
        slots[Int(registration.index)].interest = interest
    }

    /// Gives the slot up.
    mutating func remove(_ registration: Registration) {
        let index = Int(registration.index)
        slots[index].handler = nil
        slots[index].generation &+= 1
        free.append(registration.index)
    }
}

extension Registration {
    /// The loop's own eventfd: no slot has this index.
    static let doorbell = Registration(index: .max, generation: 0)

    /// As it travels through the kernel.
    var eventData: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    init(eventData: UInt64) {
        self.init(index: UInt32(truncatingIfNeeded: eventData), generation: UInt32(eventData >> 32))
    }
}
