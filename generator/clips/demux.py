"""Read the packets of one media file, alone in a process of its own.

Run as a script by `packets`, never imported: `python -I -S demux.py LIBRARIES FILE DEMUXER LIMITS`,
LIBRARIES being the folder that holds PyAV and LIMITS JSON. Answers with one JSON object on
standard output, {"error": reason} included. A crash or a hang in a demuxer ends this process and
nothing else.

With LIBRARIES alone it goes on answering: a line of JSON [FILE, DEMUXER, LIMITS] with a line
`STATUS LENGTH` and that many bytes. Each file is read in a process forked for it, which spares the
start of Python and PyAV; whatever that process leaves behind is killed. For that this one must be
the first of its own namespace of processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any


def read(url: str, demuxer: str, limits: dict[str, Any]) -> dict[str, Any]:
    """Everything the container says of the first video track, packet by packet.

    Times are whole ticks of "time_base"; packets stand in the file's order.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    max_packets = limits.pop("max_packets")
    options = {name: str(value) for name, value in limits.items()}
    try:
        with av.open(url, format=demuxer, options=options) as container:
            streams = [
                stream
                for stream in container.streams.video
                if not stream.disposition & av.stream.Disposition.attached_pic
            ]
            others = sorted({s.type for s in container.streams if s not in streams[:1]})
            if not streams:
                return {"error": "no video", "others": others}
            stream = streams[0]
            packets: list[tuple[Any, ...]] = []
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                if packet.is_corrupt:
                    return {"error": f"packet {len(packets)} is damaged"}
                packets.append(
                    (
                        packet.pts,
                        packet.duration or 0,
                        packet.size,
                        packet.is_keyframe,
                        packet.is_discard,
                        bytes(memoryview(packet)[:1])[0],
                    )
                )
                if len(packets) > max_packets:
                    return {"error": f"more than {max_packets} frames"}
            codec = stream.codec_context
            base = stream.time_base
            return {
                "others": others,
                "codec": codec.codec.canonical_name,
                "profile": codec.profile or "",
                "pixel_format": codec.pix_fmt or "",
                "width": codec.width,
                "height": codec.height,
                "aspect": _ratio(stream.sample_aspect_ratio),
                "extradata": (codec.extradata or b"")[:64].hex(),
                "stream_rate": _ratio(codec.framerate),
                "time_base": _ratio(base),
                "container_duration_us": container.duration,
                "stream_duration": stream.duration,
                "indexed_frames": stream.frames,
                "packets": packets,
            }
    except (av.FFmpegError, ValueError, OSError) as error:
        return {"error": getattr(error, "strerror", None) or str(error)}


def _ratio(value: Any) -> list[int] | None:
    return [value.numerator, value.denominator] if value else None


def serve() -> None:
    """Answer question after question, each in a process of its own."""
    import av  # noqa: F401, what is forked has it

    if os.getpid() != 1:
        sys.exit("only as the first process of a namespace")
    for line in sys.stdin.buffer:
        answers, answer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(answers)
                with open(answer, "w", encoding="utf-8") as out:  # noqa: PTH123
                    json.dump(read(*json.loads(line)), out)
                status = 0
            finally:
                os._exit(status)
        os.close(answer)
        with open(answers, "rb") as pipe:  # noqa: PTH123
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        sys.stdout.buffer.write(b"%d %d\n%b" % (status, len(said), said))
        sys.stdout.buffer.flush()


def main() -> None:
    libraries, *question = sys.argv[1:]
    sys.path.append(libraries)
    if question:
        url, demuxer, limits = question
        json.dump(read(url, demuxer, json.loads(limits)), sys.stdout)
    else:
        serve()


if __name__ == "__main__":
    main()
