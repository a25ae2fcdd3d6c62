package headwater;

import java.nio.charset.StandardCharsets;
import org.apache.flink.connector.kafka.sink.KafkaPartitioner;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;

/**
 * Keeps a record on the partition that its raw record stood on, which its `src` header tells: topic:partition:offset.
 *
 * <p>Flink's SQL sink lets nothing but a class choose the partition. Records without the header go to the first one. Rows come
 * as the sink consumes them: key, value, then its metadata in the connector's own order: topic, headers, timestamp.
 */
public final class KeepPartition implements KafkaPartitioner<RowData> {
    private static final long serialVersionUID = 1L;
    private static final int HEADERS = 3;
    private static final String SRC = "src";

    @Override
    public int partition(RowData row, byte[] key, byte[] value, String topic, int[] partitions) {
        MapData headers = row.getMap(HEADERS);
        ArrayData names = headers.keyArray();
        for (int at = 0; at < headers.size(); at++) {
            if (SRC.equals(names.getString(at).toString())) {
                int raw = rawPartition(headers.valueArray().getBinary(at));
                if (raw >= partitions.length) {
                    throw new IllegalStateException(
                            topic + " has " + partitions.length + " partitions, its raw topic more than " + raw);
                }
                return partitions[raw];
            }
        }
        return partitions[0];
    }

    private static int rawPartition(byte[] src) {
        String text = new String(src, StandardCharsets.US_ASCII);
        int end = text.lastIndexOf(':');
        return Integer.parseInt(text.substring(text.lastIndexOf(':', end - 1) + 1, end));
    }
}
