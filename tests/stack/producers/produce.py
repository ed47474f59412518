"""Sends the lines of stdin, each {"key", "value", "headers"}, to a topic, as a rollout pipeline would by itself.

    produce.py confluent|kafka-python bootstrap topic none|gzip|snappy|lz4|zstd

Partitions are chosen by the library's default: librdkafka takes CRC-32 of the key, kafka-python murmur2.
"""

import json
import sys

library, bootstrap, topic, codec = sys.argv[1:]


def lines():
    for line in sys.stdin:
        record = json.loads(line)
        value = record["value"]
        headers = [(name, text.encode()) for name, text in record["headers"].items()]
        yield record["key"].encode(), None if value is None else value.encode(), headers


def by_confluent():
    from confluent_kafka import Producer

    failed = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for key, value, headers in lines():
        producer.produce(
            topic, key=key, value=value, headers=headers, on_delivery=lambda error, _: error and failed.append(error)
        )
        producer.poll(0)
    producer.flush()
    return failed


def by_kafka_python():
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=50, compression_type=None if codec == "none" else codec
    )
    sent = [producer.send(topic, key=key, value=value, headers=headers) for key, value, headers in lines()]
    producer.flush()
    failed = [future.exception for future in sent if future.failed()]
    producer.close()
    return failed


failed = by_confluent() if library == "confluent" else by_kafka_python()
if failed:
    sys.exit(f"{len(failed)} records were not stored: {failed[0]}")
